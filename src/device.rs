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
    /// [`Error::Usage`] for an unknown name, [`Error::Device`] if there is no such adapter.
    pub fn select(name: &str) -> Result<Self> {
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
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        let wanted = |index: usize, name: &str| match adapter {
            None => true,
            Some(adapter) => {
                adapter.parse() == Ok(index) || name.to_lowercase().contains(&adapter.to_lowercase())
            }
        };
        let index = (0..found.len()).find(|&index| wanted(index, names[index]));
        let Some(index) = index else {
            let rule = match names.len() {
                0 => "no Vulkan, Metal or DX12 adapter was found".to_owned(),
                _ => format!("no such adapter among: {}", names.join("; ")),
            };
            let hint = "use --device cpu, or install the driver of your GPU".into();
            return Err(Error::Device { name: asked.into(), rule, hint });
        };
        let (device, name) = found[index].clone();
        Ok(Self { device, name: format!("wgpu:{index} ({name})") })
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

/// Every adapter with its name.
#[cfg(feature = "wgpu")]
fn adapters() -> Vec<(Device, String)> {
    let devices = Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec();
    let name = |device: &Device| device.identity().map_or_else(|| format!("{device:?}"), |id| id.name);
    devices.into_iter().map(|device| (device.clone(), name(&device))).collect()
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
