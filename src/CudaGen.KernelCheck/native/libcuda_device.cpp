// libcuda_device.cpp - initialisation and the one device, which describes itself as an H100 would.
#include "libcuda.h"
#include <algorithm>
#include <cstring>
#include <iterator>

using namespace driver;

namespace
{

struct Attribute
{
    int id; // CUdevice_attribute
    int value;
};

const Attribute Attributes[] = {
    {1, 1024},        // MAX_THREADS_PER_BLOCK
    {2, 1024},        // MAX_BLOCK_DIM_X
    {3, 1024},        // MAX_BLOCK_DIM_Y
    {4, 64},          // MAX_BLOCK_DIM_Z
    {5, 2147483647},  // MAX_GRID_DIM_X
    {6, 65535},       // MAX_GRID_DIM_Y
    {7, 65535},       // MAX_GRID_DIM_Z
    {8, 49152},       // MAX_SHARED_MEMORY_PER_BLOCK
    {9, 65536},       // TOTAL_CONSTANT_MEMORY
    {10, 32},         // WARP_SIZE
    {11, 2147483647}, // MAX_PITCH
    {12, 65536},      // MAX_REGISTERS_PER_BLOCK
    {13, 1980000},    // CLOCK_RATE, kHz
    {14, 512},        // TEXTURE_ALIGNMENT
    {15, 1},          // GPU_OVERLAP
    {16, 132},        // MULTIPROCESSOR_COUNT
    {17, 0},          // KERNEL_EXEC_TIMEOUT
    {18, 0},          // INTEGRATED
    {19, 1},          // CAN_MAP_HOST_MEMORY
    {20, 0},          // COMPUTE_MODE: default
    {31, 1},          // CONCURRENT_KERNELS
    {32, 0},          // ECC_ENABLED
    {33, 0},          // PCI_BUS_ID
    {34, 0},          // PCI_DEVICE_ID
    {36, 2619000},    // MEMORY_CLOCK_RATE, kHz
    {37, 5120},       // GLOBAL_MEMORY_BUS_WIDTH
    {38, 52428800},   // L2_CACHE_SIZE
    {39, 2048},       // MAX_THREADS_PER_MULTIPROCESSOR
    {40, 3},          // ASYNC_ENGINE_COUNT
    {41, 1},          // UNIFIED_ADDRESSING
    {50, 0},          // PCI_DOMAIN_ID
    {75, 9},          // COMPUTE_CAPABILITY_MAJOR
    {76, 0},          // COMPUTE_CAPABILITY_MINOR
    {78, 1},          // STREAM_PRIORITIES_SUPPORTED
    {79, 1},          // GLOBAL_L1_CACHE_SUPPORTED
    {80, 1},          // LOCAL_L1_CACHE_SUPPORTED
    {81, 233472},     // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
    {82, 65536},      // MAX_REGISTERS_PER_MULTIPROCESSOR
    {83, 0},          // MANAGED_MEMORY: not here
    {88, 0},          // PAGEABLE_MEMORY_ACCESS: kernels must not touch ordinary host memory
    {95, 0},          // COOPERATIVE_LAUNCH: not here
    {97, 232448},     // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
    {99, 0},          // HOST_REGISTER_SUPPORTED: not here
    {106, 32},        // MAX_BLOCKS_PER_MULTIPROCESSOR
    {111, 1024},      // RESERVED_SHARED_MEMORY_PER_BLOCK
    {115, 1},         // MEMORY_POOLS_SUPPORTED
    {120, 0},         // CLUSTER_LAUNCH: not here
};

// A body for the one device 0 and its out pointers.
template <class Body> CUresult of_device(const char* name, const void* to, CUdevice device, Body body)
{
    return enter(name, Needs::Init, [&] {
        if (!to)
            return CUDA_ERROR_INVALID_VALUE;
        return device == 0 ? body() : CUDA_ERROR_INVALID_DEVICE;
    });
}

} // namespace

bool& driver::initialised()
{
    static bool done = false;
    return done;
}

CUDA_API CUresult cuInit(unsigned Flags)
{
    return enter("cuInit", Needs::Nothing, [&] {
        if (Flags != 0)
            return CUDA_ERROR_INVALID_VALUE;
        if (!initialised())
            emu::set_device_memory(emu::device_memory());
        initialised() = true;
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDriverGetVersion(int* driverVersion)
{
    return enter("cuDriverGetVersion", Needs::Nothing, [&] {
        if (!driverVersion)
            return CUDA_ERROR_INVALID_VALUE;
        *driverVersion = 12080;
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDeviceGetCount(int* count)
{
    return of_device("cuDeviceGetCount", count, 0, [&] {
        *count = 1;
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDeviceGet(CUdevice* device, int ordinal)
{
    return of_device("cuDeviceGet", device, ordinal, [&] {
        *device = ordinal;
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDeviceGetName(char* name, int len, CUdevice dev)
{
    return of_device("cuDeviceGetName", name, dev, [&] {
        if (len < 1)
            return CUDA_ERROR_INVALID_VALUE;
        std::string text = std::string("CudaGen ") + cudagen_description();
        text.resize(std::min(text.size(), size_t(len) - 1));
        std::memcpy(name, text.c_str(), text.size() + 1);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice dev)
{
    return of_device("cuDeviceTotalMem_v2", bytes, dev, [&] {
        *bytes = emu::device_memory();
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDeviceGetAttribute(int* pi, int attrib, CUdevice dev)
{
    return of_device("cuDeviceGetAttribute", pi, dev, [&] {
        const Attribute* found = std::find_if(std::begin(Attributes), std::end(Attributes),
                                              [attrib](const Attribute& one) { return one.id == attrib; });
        if (found == std::end(Attributes))
            return CUDA_ERROR_INVALID_VALUE;
        *pi = found->value;
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice dev)
{
    return of_device("cuDeviceGetUuid_v2", uuid, dev, [&] {
        std::memcpy(uuid->bytes, "CudaGen stand-in", sizeof uuid->bytes);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuProfilerStart(void)
{
    return enter("cuProfilerStart", Needs::Context, [] { return CUDA_SUCCESS; });
}

CUDA_API CUresult cuProfilerStop(void)
{
    return enter("cuProfilerStop", Needs::Context, [] { return CUDA_SUCCESS; });
}
