"""What an NVIDIA card would execute: registers, spills and the instructions of the inner loops of the GPU kernels.

No card is needed. The kernels' WGSL, from cubecl's log, is rewritten as CUDA, compiled for one architecture by NVRTC and
ptxas, and disassembled. A driver's own compiler may do otherwise; what is learned is where registers spill and how much of
a loop is not multiply-adds, which bounds the share of the peak.

    CUBECL_DEBUG_LOG=kernels.log CUBECL_DEBUG_OPTION=debug-full FLOWQCD_GPU_SITES=8 flowqcd run SPEC --device wgpu:0
    pip install triton nvidia-cuda-nvrtc-cu12
    python benches/gpu_kernels.py kernels.log [REGEX of names] [--arch sm_90]
"""

import argparse
import collections
import ctypes
import importlib.util
import pathlib
import re
import subprocess
import tempfile

PRELUDE = r"""
typedef unsigned u32; typedef int i32; typedef float f32;
#define EACH _Pragma("unroll") for (int i = 0; i < N; i++)
template <class T, int N> struct __align__(sizeof(T) * N) Vec {
  T d[N];
  __device__ Vec() {}
  __device__ Vec(T a) { EACH d[i] = a; }
  __device__ Vec(T a, T b) { d[0] = a; d[N - 1] = b; }
  __device__ T& operator[](u32 i) { return d[i]; }
};
template <class T, int N> struct Arr { T d[N]; __device__ T& operator[](u32 i) { return d[i]; } };
struct Builtin { u32 d[3]; __device__ u32 operator[](u32 i) { return d[i]; } };
#define VEC template <class T, int N> __device__ inline Vec<T, N>
VEC operator*(Vec<T, N> a, Vec<T, N> b) { EACH a.d[i] *= b.d[i]; return a; }
VEC operator+(Vec<T, N> a, Vec<T, N> b) { EACH a.d[i] += b.d[i]; return a; }
VEC fma(Vec<T, N> a, Vec<T, N> b, Vec<T, N> c) { EACH c.d[i] = __fmaf_rn(a.d[i], b.d[i], c.d[i]); return c; }
VEC select(Vec<T, N> a, Vec<T, N> b, Vec<bool, N> c) { EACH a.d[i] = c.d[i] ? b.d[i] : a.d[i]; return a; }
template <class T, int N> __device__ inline Vec<bool, N> operator<(Vec<T, N> a, Vec<T, N> b)
{ Vec<bool, N> r; EACH r.d[i] = a.d[i] < b.d[i]; return r; }
__device__ inline float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
template <class T> __device__ inline T select(T a, T b, bool c) { return c ? b : a; }
__device__ inline u32 min(u32 a, u32 b) { return a < b ? a : b; }
"""

BUILTINS = {
    "global_invocation_id": "Builtin %s = {blockIdx.x * {0} + threadIdx.x, blockIdx.y * {1} + threadIdx.y,"
    " blockIdx.z * {2} + threadIdx.z};",
    "workgroup_id": "Builtin %s = {blockIdx.x, blockIdx.y, blockIdx.z};",
    "num_workgroups": "Builtin %s = {gridDim.x, gridDim.y, gridDim.z};",
    "local_invocation_id": "Builtin %s = {threadIdx.x, threadIdx.y, threadIdx.z};",
    "local_invocation_index": "u32 %s = threadIdx.x + {0} * (threadIdx.y + {1} * threadIdx.z);",
}


def c_type(wgsl):
    """`array<vec4<f32>, 12>` -> `Arr<Vec<f32,4>,12>`."""
    wgsl = re.sub(r"vec(\d)<(\w+)>", r"Vec<\2,\1>", wgsl.strip())
    return re.sub(r"array<(.*), (\d+)>", r"Arr<\1,\2>", wgsl)


def statement(line):
    """One line of a function body as CUDA."""
    declared = re.match(r"var(?:<function>)? (\w+): ([^=;]+)(= .*)?;", line)
    if declared:
        name, kind, start = declared.groups()
        return f"{c_type(kind)} {name}{' = {}' if 'array' in kind else ' ' + (start or '')};"
    line = re.sub(r"^let (\w+) = &(.*)", r"auto& \1 = \2", line)
    line = re.sub(r"^let ", "auto ", line)
    line = re.sub(r"^for\(var (\w+): (\w+)", r"for (\2 \1", line)
    line = re.sub(r"^(else )?if (.*) \{", r"\1if (\2) {", line)
    line = re.sub(r"vec(\d)<(\w+)>", r"Vec<\2,\1>", line)
    # A pointer is a reference here.
    line = re.sub(r"\*([a-z]\w*)", r"\1", line)
    line = line.replace("workgroupBarrier()", "__syncthreads()").replace("loop {", "while (true) {")
    return re.sub(r"\bexp\(", "__expf(", line)


def cuda(source):
    """Name and CUDA of a WGSL kernel as cubecl writes it."""
    size = [int(n) for n in re.search(r"@workgroup_size\((\d+), (\d+), (\d+)\)", source).groups()]
    name, builtins, body = re.search(r"\nfn (\w+)\(([^\n]*)\) \{\n(.*)", source, re.S).groups()
    info = re.search(r"struct info_st \{ (.*) \}", source)
    fields = re.findall(r"(\w+): array<(\w+), (\d+)>", info.group(1)) if info else []
    head = "struct info_st {" + "".join(f" {t} {n}[{k}];" for n, t, k in fields) + " };\n"
    arguments = {}
    for place, variable, kind in re.findall(r"@binding\((\d+)\) var<storage, \w+> (\w+): (.*);", source):
        element = c_type(re.sub(r"^array<(.*)>$", r"\1", kind))
        by_value = variable == "info_var"
        arguments[int(place)] = f"const __grid_constant__ info_st {variable}" if by_value else f"{element}* {variable}"
    lines = [f"__shared__ {c_type(t)} {n};" for n, t in re.findall(r"var<workgroup> (\w+): (.*);", source)]
    for kind, variable in re.findall(r"@builtin\((\w+)\) (\w+):", builtins):
        text = BUILTINS[kind].replace("%s", variable)
        lines.append(re.sub(r"\{(\d)\}", lambda axis: str(size[int(axis.group(1))]), text))
    lines += [statement(line) for line in body.splitlines()]
    threads = size[0] * size[1] * size[2]
    signature = f'extern "C" __global__ void __launch_bounds__({threads}) {name}'
    listed = ", ".join(text for _, text in sorted(arguments.items()))
    return name, PRELUDE + head + f"{signature}({listed}) {{\n" + "\n".join(lines)


def package(name):
    return pathlib.Path(importlib.util.find_spec(name).submodule_search_locations[0])


def ptx(code, arch):
    nvrtc = ctypes.CDLL(str(package("nvidia.cuda_nvrtc") / "lib" / "libnvrtc.so.12"))
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"kernel.cu", 0, None, None)
    options = [f"--gpu-architecture={arch.replace('sm', 'compute')}".encode(), b"--std=c++17", b"-default-device"]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))

    def text(what):
        size = ctypes.c_size_t()
        getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(nvrtc, f"nvrtcGet{what}")(program, buffer)
        return buffer.value.decode()

    if failed:
        raise SystemExit(text("ProgramLog"))
    return text("PTX")


def operation(instruction):
    """`@P0 LDG.E.128 ...` -> `LDG.128`."""
    word = re.sub(r"^@!?U?P\w+ ", "", instruction).split()[0]
    return word.split(".")[0] + (".128" if ".128" in word else "")


def disassembled(code, arch):
    """Registers, bytes of their spilling stores and loads, and the instructions of every loop without a loop in it."""
    tools = package("triton") / "backends" / "nvidia" / "bin"
    with tempfile.TemporaryDirectory() as folder:
        source, binary = f"{folder}/kernel.ptx", f"{folder}/kernel.cubin"
        pathlib.Path(source).write_text(ptx(code, arch))
        command = [tools / "ptxas", "-v", f"-arch={arch}", source, "-o", binary]
        log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        sass = subprocess.run([tools / "nvdisasm", "-c", binary], capture_output=True, text=True, check=True).stdout
    registers = int(re.search(r"Used (\d+) registers", log).group(1))
    spilled = sum(int(n) for n in re.findall(r"(\d+) bytes spill", log))
    instructions, labels, loops = [], {}, []
    for line in sass.splitlines():
        if label := re.match(r"\s*\.(L_x_\d+):", line):
            labels[label.group(1)] = len(instructions)
        elif instruction := re.match(r"\s*/\*[0-9a-f]+\*/\s+(.*?);", line):
            instructions.append(instruction.group(1).strip())
    for end, instruction in enumerate(instructions):
        target = re.search(r"BRA.*`\(\.(L_x_\d+)\)", instruction)
        if target and labels.get(target.group(1), end + 1) <= end:
            loops.append((labels[target.group(1)], end + 1))
    inner = [a for a in loops if not any(a[0] <= b[0] and b[1] <= a[1] and a != b for b in loops)]
    return registers, spilled, [collections.Counter(map(operation, instructions[a:b])) for a, b in inner]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log")
    parser.add_argument("names", nargs="?", default="^(convolution|couple|weight_gradient)")
    parser.add_argument("--arch", default="sm_90")
    options = parser.parse_args()
    sources = re.findall(r"```wgsl\n(.*?)```", pathlib.Path(options.log).read_text(), re.S)
    names = [re.search(r"\nfn (\w+)\(", source).group(1) for source in sources]
    kernels = dict(cuda(source) for source, name in zip(sources, names) if re.search(options.names, name))
    print("| kernel | registers | spilled | inner loop | multiply-adds | loads |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in sorted(kernels):
        registers, spilled, loops = disassembled(kernels[name], options.arch)
        loop = max(loops, key=lambda loop: loop["FFMA"], default=collections.Counter())
        total, multiplied = sum(loop.values()), loop["FFMA"]
        loads = sum(count for what, count in loop.items() if what.startswith(("LDG", "LDS")))
        share = f"{multiplied} ({100 * multiplied / max(total, 1):.0f}%)"
        print(f"| {name} | {registers} | {spilled} | {total} | {share} | {loads} |")


main()
