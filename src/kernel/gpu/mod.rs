//! Convolution stacks on GPUs: CubeCL kernels, compiled for Vulkan, Metal or DX12 when they are first launched.
//!
//! Fields are kept as `[tile][site][channel vector][lane][channel]`: tiles of 32 samples side by side, up to four channels
//! together ([`layout`]). Neighbouring units read neighbouring vectors whatever the lattice or the channels are, and one
//! address serves four channels, because addresses and not multiply-adds would else be most of the work. A unit computes a
//! block of sites × output channels of one sample in registers; the weights, which all units share, lie in shared memory
//! where they fit. Masked-out work is not in the site lists ([`plan`]). Every sum has a fixed order.

pub mod convolution;
pub mod elementary;
pub mod layout;
mod network;
mod peak;
pub mod plan;
pub mod shape;
pub mod table;
pub mod weights;

pub use network::{Net, Packed};
pub use peak::fma_peak;
pub use plan::Plans;
pub use shape::{Mode, Spread};

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Shape};
use burn_cubecl::cubecl::MemoryScope;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::prelude::{BufferArg, CubeCount, CubeDim};
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeDevice, kernel::into_contiguous};
use futures_lite::future::{block_on, poll_once};

/// Units of a workgroup in kernels without structure.
const FLAT: usize = 256;

/// Samples side by side in a workgroup.
pub const LANES: usize = 32;

/// Rows of a workgroup: blocks of sites, or of weights.
pub const ROWS: usize = 4;

/// A buffer of 32-bit words on a device.
#[derive(Debug, Clone)]
pub struct Buffer {
    handle: Handle,
    words: usize,
}

impl Buffer {
    /// Room for `words` numbers of any value.
    pub fn empty(client: &Client, words: usize) -> Self {
        Self { handle: client.empty(words * size_of::<f32>()), words }
    }

    /// A copy of a table.
    pub fn table(client: &Client, words: &[u32]) -> Self {
        Self { handle: client.create_from_slice(bytemuck::cast_slice(words)), words: words.len() }
    }

    /// A contiguous tensor of single precision.
    ///
    /// # Panics
    /// If the tensor has another element type.
    pub fn tensor(tensor: CubeTensor) -> Self {
        assert_eq!(tensor.dtype, DType::F32, "element type of a tensor in a GPU kernel");
        let tensor = into_contiguous(tensor);
        Self { words: tensor.meta.shape().num_elements(), handle: tensor.handle }
    }

    /// The buffer as a tensor.
    pub fn into_tensor(self, client: &Client, device: &CubeDevice, shape: Shape) -> CubeTensor {
        CubeTensor::new_contiguous(client.clone(), device.clone(), shape, self.handle, DType::F32)
    }

    /// Begins to copy the numbers to the host, as they are after all that was launched until now; what is launched later is not waited
    /// for.
    pub fn begin_read(
        &self,
        client: &Client,
    ) -> impl Future<Output = Result<Vec<f32>, String>> + Send + use<> {
        let (client, handle) = (client.clone(), self.handle.clone());
        let mut numbers = Box::pin(async move {
            let bytes = client.read_async(vec![handle]).await.map_err(|error| error.to_string())?;
            Ok(bytemuck::pod_collect_to_vec(&bytes[0]))
        });
        // Asking for the first time is what queues the copy.
        let asked = block_on(poll_once(&mut numbers));
        async move {
            match asked {
                Some(numbers) => numbers,
                None => numbers.await,
            }
        }
    }

    /// Its length.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Kernel argument with elements of `width` words.
    pub fn vectors(&self, width: usize) -> BufferArg {
        // SAFETY: the length is that of the allocation.
        unsafe { BufferArg::from_raw_parts(self.handle.clone(), self.words / width) }
    }

    /// Kernel argument.
    pub fn arg(&self) -> BufferArg {
        self.vectors(1)
    }
}

/// Tiles of a batch.
pub fn tiles(batch: usize) -> usize {
    batch.div_ceil(LANES)
}

/// Workgroups in one dimension of a grid, at least, on every adapter.
const GRID: usize = 65_535;

/// [`LANES`] units for each of `rows` rows, and workgroups for them; what one kernel does in `depth` parts.
pub fn grid(rows: usize, depth: usize) -> (CubeCount, CubeDim) {
    let groups = rows.div_ceil(ROWS);
    let layers = groups.div_ceil(GRID).max(1);
    let count = CubeCount::Static(groups.div_ceil(layers) as u32, layers as u32, depth as u32);
    (count, CubeDim::new_2d(LANES as u32, ROWS as u32))
}

/// So many workgroups at least, in as many rows as one dimension of a grid makes necessary.
pub fn groups(count: usize) -> CubeCount {
    let rows = count.div_ceil(GRID);
    CubeCount::Static(count.div_ceil(rows) as u32, rows as u32, 1)
}

/// One unit for each of `units` numbers.
pub fn flat(units: usize) -> (CubeCount, CubeDim) {
    (groups(units.div_ceil(FLAT)), CubeDim::new_1d(FLAT as u32))
}

/// Storage buffers of the largest kernel, and the one in which cubecl keeps scalars and lengths: as many as WebGPU promises.
const BINDINGS: u32 = 8;

/// Whether a device can run the kernels on numbers of a kind.
pub fn runs_on(device: &Device, dtype: DType) -> bool {
    let Some(client) = client(device) else { return false };
    let limits = &client.properties().hardware;
    dtype == DType::F32
        && limits.max_shared_memory_size >= ROWS * LANES * LANES * size_of::<f32>()
        && limits.max_units_per_cube as usize >= FLAT
        && limits.max_bindings >= BINDINGS
}

/// The client of a GPU.
pub fn client(device: &Device) -> Option<Client> {
    let DispatchDevice::Cube(device) = device.as_dispatch() else { return None };
    Some(device.client())
}

/// Bytes of a GPU's memory that this program holds, buffers kept for their next use included.
pub fn memory_held(device: &Device) -> Option<u64> {
    Some(client(device)?.memory_report(MemoryScope::Device).usage().bytes_reserved)
}

/// The first adapter that can run the kernels, a software rasteriser if need be; none is a failure where
/// `FLOWQCD_REQUIRE_GPU` is set.
#[cfg(test)]
pub fn test_device() -> Option<Device> {
    let all = Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec();
    let found = all.into_iter().find(|device| runs_on(device, DType::F32));
    match &found {
        Some(device) => eprintln!("on {device:?}"),
        None => {
            assert!(
                std::env::var_os("FLOWQCD_REQUIRE_GPU").is_none(),
                "no adapter, but one is required here"
            );
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            // Not by `eprintln!`, which a test that passes keeps to itself.
            let message = format!("{test}: left out, no Vulkan, Metal or DX12 adapter on this machine\n");
            std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes()).expect("stderr is open");
        }
    }
    found
}
