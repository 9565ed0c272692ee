//! The adapters that wgpu can run on, with their kind and driver, in the order of `wgpu:0`, `wgpu:1`, …

use burn::tensor::Device;
use burn_cubecl::CubeDevice;
use burn_cubecl::cubecl::device::{WgpuBackend, WgpuDevice, WgpuDeviceKind};
use futures_lite::future::block_on;
use wgpu::{Adapter as WgpuAdapter, AdapterInfo, Backend, DeviceType, Instance, InstanceDescriptor};

/// An adapter: a GPU, or a program that stands in for one.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// As burn knows it.
    pub device: Device,
    /// As the driver names it.
    pub name: String,
    /// What it is.
    pub kind: DeviceType,
    /// Vulkan, Metal, Dx12 or Gl.
    pub api: String,
    /// Driver with its version.
    pub driver: String,
    /// Bytes of its own memory, where the API tells.
    pub memory: Option<u64>,
}

impl Adapter {
    /// Whether it computes on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == DeviceType::Cpu
    }

    /// Smaller is better: a card of its own before a part of the processor before what cannot be told.
    pub fn rank(&self) -> u8 {
        match self.kind {
            DeviceType::DiscreteGpu => 0,
            DeviceType::IntegratedGpu => 1,
            DeviceType::VirtualGpu => 2,
            DeviceType::Other => 3,
            DeviceType::Cpu => 4,
        }
    }

    /// `discrete GPU`, `software rasteriser`, …
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            DeviceType::DiscreteGpu => "discrete GPU",
            DeviceType::IntegratedGpu => "integrated GPU",
            DeviceType::VirtualGpu => "virtual GPU",
            DeviceType::Cpu => "software rasteriser",
            DeviceType::Other => "GPU of unknown kind",
        }
    }
}

/// All adapters of the graphics APIs that the kernels are written for, in the order of the APIs and then of the driver.
///
/// OpenGL is left out: what it reaches is reached by the others, or too old for the kernels.
pub fn adapters() -> Vec<Adapter> {
    let apis: &[(Backend, WgpuBackend)] = match cfg!(target_os = "macos") {
        true => &[(Backend::Metal, WgpuBackend::Metal)],
        false => &[(Backend::Vulkan, WgpuBackend::Vulkan), (Backend::Dx12, WgpuBackend::Dx12)],
    };
    apis.iter().flat_map(|&(api, pinned)| on_api(api, pinned)).collect()
}

fn on_api(api: Backend, pinned: WgpuBackend) -> Vec<Adapter> {
    let descriptor =
        InstanceDescriptor { backends: api.into(), ..InstanceDescriptor::new_without_display_handle() };
    let found: Vec<WgpuAdapter> = block_on(Instance::new(descriptor).enumerate_adapters(api.into()));
    let infos: Vec<AdapterInfo> = found.iter().map(WgpuAdapter::get_info).collect();
    let adapter = |(index, info): (usize, &AdapterInfo)| {
        // burn numbers the adapters of each kind apart.
        let number = infos[..index].iter().filter(|before| before.device_type == info.device_type).count();
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => WgpuDeviceKind::DiscreteGpu(number),
            DeviceType::IntegratedGpu => WgpuDeviceKind::IntegratedGpu(number),
            DeviceType::VirtualGpu => WgpuDeviceKind::VirtualGpu(number),
            DeviceType::Cpu => WgpuDeviceKind::Cpu,
            DeviceType::Other => WgpuDeviceKind::Other(number),
        };
        Adapter {
            device: Device::new(CubeDevice::Wgpu(WgpuDevice::new(kind).on(pinned))),
            name: info.name.clone(),
            kind: info.device_type,
            api: format!("{:?}", info.backend),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            memory: memory(&found[index]),
        }
    };
    infos.iter().enumerate().map(adapter).collect()
}

/// The largest heap of an adapter's own memory, which wgpu does not tell by itself.
#[cfg(not(target_os = "macos"))]
fn memory(adapter: &WgpuAdapter) -> Option<u64> {
    /// `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT`.
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the handles are only used for a question, while the adapter that owns them lives.
    let properties = unsafe {
        let vulkan = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = vulkan.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(vulkan.raw_physical_device())
    };
    let heaps = properties.memory_heaps_as_slice().iter();
    heaps.filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0).map(|heap| heap.size).max()
}

#[cfg(target_os = "macos")]
fn memory(_: &WgpuAdapter) -> Option<u64> {
    None
}
