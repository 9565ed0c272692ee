//! Which device computes, alone or as one of several processes: `cpu` or `wgpu[:ADAPTER]`, chosen at run time, and how much of a batch it
//! takes at once.

#[cfg(feature = "wgpu")]
mod adapters;
mod memory;
mod parts;

pub use memory::{Memory, memory};

use crate::comm::{Crew, Neighbours};
use crate::error::{Error, Result};
use crate::kernel::Isa;
#[cfg(feature = "wgpu")]
use crate::kernel::{Spread, memory_held};
use burn::tensor::{Device, Tensor};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(feature = "wgpu")]
use std::sync::{Mutex, PoisonError};

/// Configurations that the CPU kernels train on at once: enough for its threads, and small enough for the cache.
const CPU_MICRO_BATCH: usize = 128;

/// Configurations that the CPU kernels sample at once.
const CPU_SAMPLES: usize = 1024;

/// Memory for the configurations that the CPU kernels take at once, where these are large.
const CPU_BYTES: u64 = 4 << 30;

/// Configurations that a GPU takes at once, at most and at least: enough to keep every unit busy.
const GPU_SAMPLES: [usize; 2] = [GPU_TILE, 16_384];

/// Memory for the activations of a micro-batch on a GPU that does not tell how much it has, and for one layer's on any: no
/// buffer is then near the 2³¹ bytes that Vulkan drivers bind at most.
const GPU_BYTES: u64 = 1 << 30;

/// Memory for the activations of a micro-batch on any GPU, at most.
#[cfg(any(feature = "wgpu", test))]
const MOST_GPU_BYTES: u64 = 4 << 30;

/// Configurations of a tile of the GPU kernels: fewer need as much memory.
const GPU_TILE: usize = 32;

/// Part of a GPU's memory for the activations of a micro-batch; gradients, sums and other programs need room too.
#[cfg(feature = "wgpu")]
const GPU_PART: u64 = 4;

/// Why a device did not compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// Whether the device is lost for this process: wgpu gives it up when it is out of memory.
    fn is_final(&self) -> bool {
        let reason = self.0.to_lowercase();
        reason.contains("poisoned") || reason.contains("out of memory")
    }
}

/// Waits for a tensor and copies it to the host. This is where a device's failures show: operations are only queued, and burn's
/// own reading puts off the copy to where it can only panic.
///
/// # Errors
/// What the device gives as the reason that it did not compute.
pub fn to_host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>, Failure> {
    tensor.try_into_vec_as().map_err(|error| Failure(error.to_string()))
}

/// A burn device with the name that goes into the manifest.
#[derive(Debug, Clone)]
pub struct ComputeDevice {
    device: Device,
    name: String,
    /// Bytes for the activations of a micro-batch.
    room: u64,
    /// Configurations that there was room for when more had none.
    sampled: Arc<AtomicUsize>,
    /// Which processes compute together, each on a device of its own.
    crew: Crew,
}

/// A line of `flowqcd devices`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DeviceInfo {
    /// What `--device` takes.
    pub name: String,
    /// The processor or adapter.
    pub model: String,
    /// What it is.
    pub kind: String,
    /// Graphics API, if there is one.
    pub api: String,
    /// Driver with its version, if there is one.
    pub driver: String,
    /// Bytes of a GPU's own memory, where its API tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Whether `auto` takes it.
    pub auto: bool,
}

impl ComputeDevice {
    /// The CPU.
    pub fn cpu() -> Self {
        Self {
            device: Device::flex(),
            name: format!("cpu ({})", Isa::active().name()),
            room: 0,
            sampled: no_limit(),
            crew: Crew::alone(),
        }
    }

    /// The device that `auto`, `cpu`, `wgpu` or `wgpu:ADAPTER` names; ADAPTER is a number or part of a name.
    ///
    /// `auto` is the best GPU, or the CPU where there is none. A software rasteriser has to be named.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown name or instruction set, [`Error::Device`] if there is no such adapter or it
    /// cannot be opened.
    pub fn select(name: &str) -> Result<Self> {
        check_environment()?;
        match name.split_once(':').map_or((name, None), |(kind, adapter)| (kind, Some(adapter))) {
            ("cpu", None) => Ok(Self::cpu()),
            ("auto", None) => Ok(Self::best_gpu().unwrap_or_else(Self::cpu)),
            ("wgpu", adapter) => Self::wgpu(name, adapter),
            _ => Err(Error::Usage {
                message: format!("--device = {name}: must be auto, cpu, wgpu or wgpu:ADAPTER"),
                hint: "auto takes the best device found; `flowqcd devices` lists them".into(),
            }),
        }
    }

    /// The same device, that of one of these processes.
    pub fn among(self, crew: Crew) -> Self {
        Self { crew, ..self }
    }

    /// The processes that compute together.
    pub fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Name for manifest and tables, e.g. `cpu (avx512)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same with the number of processes, if there are several: `4 x cpu (avx512)`.
    pub fn of_all(&self) -> String {
        match self.crew.size() {
            1 => self.name.clone(),
            size => format!("{size} x {}", self.name),
        }
    }

    /// Threads of the CPU kernels of all processes.
    pub fn threads_of_all(&self) -> usize {
        threads() * self.crew.size()
    }

    /// Whether this is the CPU.
    pub fn is_cpu(&self) -> bool {
        self.device == Device::flex()
    }

    /// [`Self::select`] for one of several processes on a machine: `auto` gives each a GPU of its own, or the CPU where there is none;
    /// whoever names a GPU shares it.
    ///
    /// # Errors
    /// As of [`Self::select`], and [`Error::Usage`] if there are fewer GPUs than processes.
    pub fn select_beside(name: &str, here: Neighbours) -> Result<Self> {
        match name {
            "auto" if here.size > 1 => {
                check_environment()?;
                Ok(Self::own_gpu(here)?.unwrap_or_else(Self::cpu))
            }
            _ => Self::select(name),
        }
    }

    /// For values only.
    pub fn plain(&self) -> Device {
        self.device.clone()
    }

    /// For values and gradients.
    pub fn autodiff(&self) -> Device {
        self.device.clone().autodiff()
    }

    /// Configurations to train on at once, for a flow that keeps so many numbers of each for its backward pass and works on
    /// so many at a time.
    pub fn micro_batch(&self, kept_per_sample: f64, working_per_sample: f64) -> usize {
        if self.is_cpu() {
            return CPU_MICRO_BATCH.min(fitting(CPU_BYTES, kept_per_sample));
        }
        fitting(self.room, kept_per_sample).min(fitting(GPU_BYTES, working_per_sample))
    }

    /// Configurations to sample at once, with so many numbers of each worked on at a time; on a GPU no more than that.
    pub fn sample_batch(&self, working_per_sample: f64, at_most: Option<usize>) -> usize {
        if self.is_cpu() {
            return CPU_SAMPLES.min(fitting(CPU_BYTES, working_per_sample));
        }
        let suited = fitting(self.room.min(GPU_BYTES), working_per_sample);
        suited.min(at_most.unwrap_or(usize::MAX)).min(self.sampled.load(Ordering::Relaxed))
    }
}

/// # Errors
/// [`Error::Usage`] for a variable that names what there is not.
fn check_environment() -> Result<()> {
    Isa::requested().map_err(|asked| {
        let names: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
        let message = format!("FLOWQCD_ISA = {asked}: this machine has {}", names.join(", "));
        Error::Usage { message, hint: "leave FLOWQCD_ISA unset to take the best".into() }
    })?;
    #[cfg(feature = "wgpu")]
    Spread::requested().map_err(|sites| Error::Usage {
        message: format!("FLOWQCD_GPU_SITES = {sites}: must be 1, 2, 4 or 8"),
        hint: "leave FLOWQCD_GPU_SITES unset to take what suits the batch".into(),
    })?;
    Ok(())
}

fn no_limit() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(usize::MAX))
}

/// A power of two of configurations with so many numbers each that fits into so many bytes.
fn fitting(bytes: u64, numbers_per_sample: f64) -> usize {
    let fit = (bytes as f64 / (4.0 * numbers_per_sample)) as usize;
    (1 << fit.max(1).ilog2()).clamp(GPU_SAMPLES[0], GPU_SAMPLES[1])
}

/// Whether `wgpu:ASKED` names an adapter of a list of names, some of them software: by its number or by a part of its name,
/// and `wgpu` alone every real one.
#[cfg(feature = "wgpu")]
fn names_adapter(asked: Option<&str>, index: usize, names: &[(&str, bool)]) -> bool {
    let (name, software) = names[index];
    match asked.map(|asked| (asked, asked.parse::<usize>())) {
        None => !software,
        Some((_, Ok(number))) => number == index,
        Some((part, Err(_))) => !part.is_empty() && name.to_lowercase().contains(&part.to_lowercase()),
    }
}

#[cfg(feature = "wgpu")]
impl ComputeDevice {
    fn adapter(index: usize, adapter: &adapters::Adapter) -> Self {
        let room = adapter.memory.map_or(GPU_BYTES, |memory| (memory / GPU_PART).min(MOST_GPU_BYTES));
        let name = format!("wgpu:{index} ({})", adapter.name);
        Self { device: adapter.device.clone(), name, room, sampled: no_limit(), crew: Crew::alone() }
    }

    fn best_gpu() -> Option<Self> {
        let found = adapters::adapters();
        let mut real: Vec<_> =
            found.iter().enumerate().filter(|(_, adapter)| !adapter.is_software()).collect();
        real.sort_by_key(|(_, adapter)| adapter.rank());
        // A driver that cannot be opened is passed over: `auto` means whatever works.
        real.into_iter().find_map(|(index, adapter)| Self::adapter(index, adapter).opened().ok())
    }

    /// The GPU of one of several processes: of those that are as good as the best, the one of its rank; nothing where there is none.
    fn own_gpu(here: Neighbours) -> Result<Option<Self>> {
        let mut found: Vec<_> = adapters::adapters().into_iter().enumerate().collect();
        found.retain(|(_, adapter)| !adapter.is_software());
        let Some(best) = found.iter().map(|(_, adapter)| adapter.rank()).min() else { return Ok(None) };
        found.retain(|(_, adapter)| adapter.rank() == best);
        if let Some((index, adapter)) = found.get(here.rank).filter(|_| found.len() >= here.size) {
            return Self::adapter(*index, adapter).opened().map(Some);
        }
        let gpus =
            if found.len() == 1 { "1 GPU".into() } else { format!("{} GPUs of the best kind", found.len()) };
        Err(Error::Usage {
            message: format!("--device = auto: {} processes on this machine, and {gpus}", here.size),
            hint: "start as many processes as there are GPUs, or say that they share one: --device wgpu:0; or --device cpu"
                .into(),
        })
    }

    fn wgpu(asked: &str, adapter: Option<&str>) -> Result<Self> {
        let found = adapters::adapters();
        let names: Vec<(&str, bool)> = found.iter().map(|a| (a.name.as_str(), a.is_software())).collect();
        let wanted = found.iter().enumerate().filter(|(index, _)| names_adapter(adapter, *index, &names));
        if let Some((index, adapter)) = wanted.min_by_key(|(_, adapter)| adapter.rank()) {
            return Self::adapter(index, adapter).opened();
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

    /// Bytes of a GPU's memory that this program holds, buffers kept for their next use included; none for the CPU.
    pub fn memory_held(&self) -> Option<u64> {
        memory_held(&self.device)
    }

    /// Opens the device, which a driver may refuse.
    fn opened(self) -> Result<Self> {
        // The runtime panics where it cannot open an adapter, in a thread of its own: the first message is the reason.
        let messages = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&messages);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let message = info.payload_as_str().unwrap_or("no reason given").to_owned();
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        }));
        let answer = std::panic::catch_unwind(|| self.device.sync());
        std::panic::set_hook(hook);
        let refused = match answer {
            Ok(Ok(())) => return Ok(self),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                let messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
                messages.first().map_or("no reason given", |first| first.trim()).to_owned()
            }
        };
        Err(Error::Device {
            name: self.name,
            rule: format!("the driver does not open it: {refused}"),
            hint: "`flowqcd devices` lists the others; --device cpu always works".into(),
        })
    }
}

#[cfg(not(feature = "wgpu"))]
impl ComputeDevice {
    fn best_gpu() -> Option<Self> {
        None
    }

    fn own_gpu(_: Neighbours) -> Result<Option<Self>> {
        Ok(None)
    }

    /// Bytes of a GPU's memory that this program holds: there is none.
    pub fn memory_held(&self) -> Option<u64> {
        None
    }

    fn wgpu(asked: &str, _: Option<&str>) -> Result<Self> {
        let rule = "this program was built without GPU support".into();
        let hint = "build with the default features, or use --device cpu".into();
        Err(Error::Device { name: asked.into(), rule, hint })
    }
}

/// Everything `--device` can name, the CPU first.
pub fn list() -> Vec<DeviceInfo> {
    let isa: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
    let cpu = DeviceInfo {
        name: "cpu".into(),
        model: format!("{} thread{}", threads(), if threads() == 1 { "" } else { "s" }),
        kind: format!("CPU ({})", isa.join(", ")),
        api: String::new(),
        driver: String::new(),
        memory: None,
        auto: false,
    };
    let mut all = vec![cpu];
    #[cfg(feature = "wgpu")]
    all.extend(adapters::adapters().into_iter().enumerate().map(|(index, adapter)| DeviceInfo {
        name: format!("wgpu:{index}"),
        kind: adapter.kind_name().into(),
        model: adapter.name,
        api: adapter.api,
        driver: adapter.driver,
        memory: adapter.memory,
        auto: false,
    }));
    let auto = ComputeDevice::best_gpu().unwrap_or_else(ComputeDevice::cpu);
    let chosen = auto.name.split_whitespace().next().unwrap_or_default().to_owned();
    all.iter_mut().for_each(|info| info.auto = info.name == chosen);
    all
}

/// Threads of the CPU kernels.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Starts the threads of the CPU kernels: so many, or one for every core. Results do not depend on it.
///
/// # Errors
/// [`Error::Device`] if the system does not give them, or if they are already running.
pub fn start_threads(threads: Option<usize>) -> Result<()> {
    // None of them is one for every core.
    let started = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build_global();
    started.map_err(|error| Error::Device {
        name: "cpu".into(),
        rule: format!(
            "cannot start {}: {error}",
            threads.map_or("a thread for every core".into(), |n| format!("{n} threads"))
        ),
        hint:
            "ask for fewer with --threads, or raise the limits on processes and memory (ulimit -u, ulimit -v)"
                .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_takes_as_much_as_fits_within_bounds() {
        // The Fig. 1 network keeps 64 800 numbers of a configuration.
        assert_eq!(fitting(MOST_GPU_BYTES, 64_800.0), 16_384);
        assert_eq!(fitting(GPU_BYTES, 64_800.0), 4096);
        assert_eq!(fitting(GPU_BYTES, 1.0), GPU_SAMPLES[1]);
        assert_eq!(fitting(GPU_BYTES, 1e9), GPU_SAMPLES[0]);
    }

    #[cfg(feature = "wgpu")]
    #[test]
    fn an_adapter_is_named_by_its_number_or_a_part_of_its_name() {
        let names = [
            ("NVIDIA H100 80GB HBM3", false),
            ("NVIDIA H100 80GB HBM3", false),
            ("llvmpipe (LLVM 15.0.6, 256 bits)", true),
        ];
        let named =
            |asked| (0..3).filter(|&index| names_adapter(asked, index, &names)).collect::<Vec<usize>>();
        // Digits of a name are not its number.
        for (asked, expected) in
            [("0", vec![0]), ("1", vec![1]), ("2", vec![2]), ("3", vec![]), ("256", vec![])]
        {
            assert_eq!(named(Some(asked)), expected, "{asked}");
        }
        assert_eq!(named(None), [0, 1], "software has to be named");
        assert_eq!(
            (named(Some("")), named(Some("h100")), named(Some("LLVMpipe"))),
            (vec![], vec![0, 1], vec![2])
        );
    }
}
