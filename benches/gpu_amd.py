"""Registers and spills of the GPU kernels on AMD cards, by Mesa's RADV, which compiles for cards that are not there.

    CUBECL_DEBUG_LOG=kernels.log CUBECL_DEBUG_OPTION=debug-full flowqcd run SPEC --device wgpu:0
    pip install vulkan
    python benches/gpu_amd.py kernels.log navi31 [REGEX of names]

The family is one that RADV_FORCE_FAMILY knows: navi21, navi31 (gfx1100 in Mesa 22.3). VK_ICD_FILENAMES must name RADV's driver
alone. `benches/spirv` is built first.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def kernels(log):
    """Name and source of every kernel in a log, once each."""
    sources = dict.fromkeys(re.findall(r"```wgsl\n(.*?)```", pathlib.Path(log).read_text(), re.S))
    return [(re.search(r"@compute.*\n?fn (\w+)\(", source).group(1), source) for source in sources]


def compile_on_device(path, name):
    """A compute pipeline from `path`, whose statistics RADV prints to stderr; this process has RADV's environment."""
    import vulkan as vk

    instance = vk.vkCreateInstance(vk.VkInstanceCreateInfo(), None)
    card = vk.vkEnumeratePhysicalDevices(instance)[0]
    queue = vk.VkDeviceQueueCreateInfo(queueFamilyIndex=0, queueCount=1, pQueuePriorities=[1.0])
    features = vk.VkPhysicalDeviceFeatures(robustBufferAccess=True)
    info = vk.VkDeviceCreateInfo(pQueueCreateInfos=[queue], pEnabledFeatures=features)
    device = vk.vkCreateDevice(card, info, None)
    buffers = re.findall(r"@binding\((\d+)\)", pathlib.Path(path).with_suffix(".wgsl").read_text())
    stage = vk.VK_SHADER_STAGE_COMPUTE_BIT
    kind = vk.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
    bindings = [
        vk.VkDescriptorSetLayoutBinding(binding=int(n), descriptorType=kind, descriptorCount=1, stageFlags=stage) for n in buffers
    ]
    sets = vk.vkCreateDescriptorSetLayout(device, vk.VkDescriptorSetLayoutCreateInfo(pBindings=bindings), None)
    layout = vk.vkCreatePipelineLayout(device, vk.VkPipelineLayoutCreateInfo(pSetLayouts=[sets]), None)
    code = pathlib.Path(path).read_bytes()
    module = vk.vkCreateShaderModule(device, vk.VkShaderModuleCreateInfo(codeSize=len(code), pCode=code), None)
    # The binding does not keep what structures point to: every part has a name here.
    entry = vk.VkPipelineShaderStageCreateInfo(stage=stage, module=module, pName=name)
    pipeline = vk.VkComputePipelineCreateInfo(stage=entry, layout=layout, basePipelineIndex=-1)
    vk.vkCreateComputePipelines(device, vk.ffi.NULL, 1, [pipeline], None)


def main(log, family, pattern="."):
    subprocess.run(["cargo", "build", "-q", "--release"], cwd=HERE / "spirv", check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "spirv" / "target"))
    environment = {**os.environ, "RADV_FORCE_FAMILY": family, "RADV_DEBUG": "shaderstats,nocache"}
    print("| kernel | registers | spilled |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for index, (name, source) in enumerate(kernels(log)):
            if not re.search(pattern, name):
                continue
            path = pathlib.Path(folder) / f"{index}.wgsl"
            path.write_text(source)
            subprocess.run([target / "release" / "spirv", path], check=True)
            command = [sys.executable, __file__, "--compile", path.with_suffix(".spv"), name]
            text = subprocess.run(command, env=environment, capture_output=True, text=True).stderr
            numbers = [re.search(rf"^{what}: (\d+)", text, re.M) for what in ("VGPRs", "Spilled VGPRs")]
            print(f"| {name} |", " | ".join(n.group(1) if n else "failed" for n in numbers), "|", flush=True)


if sys.argv[1] == "--compile":
    compile_on_device(*sys.argv[2:])
else:
    main(*sys.argv[1:])
