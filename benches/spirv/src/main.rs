//! `spirv FILE.wgsl...`: `FILE.spv` beside each, with the options that wgpu gives naga for kernels of cubecl that are launched
//! unchecked: no checks of bounds, no counters in loops, shared memory not zeroed.

use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn main() {
    let unchecked = BoundsCheckPolicy::Unchecked;
    let options = spv::Options {
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        ..Default::default()
    };
    for path in std::env::args().skip(1) {
        let source = std::fs::read_to_string(&path).expect("a file of WGSL");
        let module = naga::front::wgsl::parse_str(&source).expect("valid WGSL");
        let info = Validator::new(ValidationFlags::all(), Capabilities::all())
            .validate(&module)
            .expect("valid WGSL");
        let words = spv::write_vec(&module, &info, &options, None).expect("SPIR-V for it");
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        std::fs::write(path.replace(".wgsl", ".spv"), bytes).expect("room for the result");
    }
}
