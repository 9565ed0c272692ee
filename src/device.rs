//! Which device computes: `cpu` (fused kernels) or `wgpu[:ADAPTER]`, chosen at run time.

use crate::error::{Error, Result};
use crate::kernel::Isa;
use burn::tensor::Device;

/// A burn device with the name that goes into the manifest.
#[derive(Debug, Clone)]
pub struct ComputeDevice {
    device: Device,
    name: String,
}

impl ComputeDevice {
    /// The CPU.
    pub fn cpu() -> Self {
        Self { device: Device::flex(), name: format!("cpu ({})", Isa::active().name()) }
    }

    /// The device that `auto`, `cpu`, `wgpu` or `wgpu:ADAPTER` names; ADAPTER is a number or part of a name.
    ///
    /// `auto` is the CPU: its fused kernels outrun the plain tensor operations that `wgpu` runs so far.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown name or instruction set, [`Error::Device`] if there is no such adapter.
    pub fn select(name: &str) -> Result<Self> {
        Isa::requested().map_err(|asked| {
            let names: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
            let message = format!("FLOWQCD_ISA = {asked}: this machine has {}", names.join(", "));
            Error::Usage { message, hint: "leave FLOWQCD_ISA unset to take the best".into() }
        })?;
        match name.split_once(':').map_or((name, None), |(kind, adapter)| (kind, Some(adapter))) {
            ("auto" | "cpu", None) => Ok(Self::cpu()),
            ("wgpu", adapter) => Self::wgpu(name, adapter),
            _ => Err(Error::Usage {
                message: format!("--device = {name}: must be auto, cpu, wgpu or wgpu:ADAPTER"),
                hint: "auto takes the best device found".into(),
            }),
        }
    }

    #[cfg(feature = "wgpu")]
    fn wgpu(asked: &str, adapter: Option<&str>) -> Result<Self> {
        let found = adapters();
        // A software rasteriser is far slower than the CPU kernels: it must be asked for.
        let wanted = |(index, candidate): &(usize, &Adapter)| match adapter {
            None => !candidate.software,
            Some(adapter) => {
                let name = candidate.name.to_lowercase();
                adapter.parse() == Ok(*index) || name.contains(&adapter.to_lowercase())
            }
        };
        if let Some((index, adapter)) = found.iter().enumerate().find(wanted) {
            let name = format!("wgpu:{index} ({})", adapter.name);
            return Ok(Self { device: adapter.device.clone(), name });
        }
        let list: Vec<String> =
            found.iter().enumerate().map(|(index, a)| format!("wgpu:{index} ({})", a.name)).collect();
        let rule = match list.is_empty() {
            true => "no Vulkan, Metal or DX12 adapter was found".to_owned(),
            false => format!("no such GPU; there is: {}", list.join(", ")),
        };
        let hint = "use --device cpu, or install the driver of your GPU".into();
        Err(Error::Device { name: asked.into(), rule, hint })
    }

    #[cfg(not(feature = "wgpu"))]
    fn wgpu(asked: &str, _: Option<&str>) -> Result<Self> {
        let rule = "this program was built without GPU support".into();
        let hint = "build with the default features, or use --device cpu".into();
        Err(Error::Device { name: asked.into(), rule, hint })
    }

    /// Name for manifest and tables, e.g. `cpu (avx512)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the CPU.
    pub fn is_cpu(&self) -> bool {
        self.device == Device::flex()
    }

    /// For values only.
    pub fn plain(&self) -> Device {
        self.device.clone()
    }

    /// For values and gradients.
    pub fn autodiff(&self) -> Device {
        self.device.clone().autodiff()
    }
}

/// What wgpu can run on.
#[cfg(feature = "wgpu")]
struct Adapter {
    device: Device,
    name: String,
    software: bool,
}

#[cfg(feature = "wgpu")]
fn adapters() -> Vec<Adapter> {
    use burn::tensor::{DeviceKind, DeviceType};
    let rasteriser = Device::wgpu(DeviceKind::Cpu);
    let adapter = |device: Device| {
        let name = device.identity().map_or_else(|| format!("{device:?}"), |identity| identity.name);
        Adapter { software: device == rasteriser, device, name }
    };
    Device::enumerate(DeviceType::Wgpu).into_vec().into_iter().map(adapter).collect()
}

/// Threads of the CPU kernels.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Limits the CPU kernels to this many threads. Results do not depend on it.
///
/// # Errors
/// [`Error::Usage`] if threads are already running.
pub fn set_threads(threads: usize) -> Result<()> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|error| Error::Usage {
        message: format!("--threads = {threads}: {error}"),
        hint: "leave --threads out to use every core".into(),
    })
}
