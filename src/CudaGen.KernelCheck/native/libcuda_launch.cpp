// libcuda_launch.cpp - kernel launches, and how many blocks fit.
#include "libcuda_module.h"
#include <algorithm>
#include <cstring>

using namespace driver;

namespace
{

// The arguments of one launch, copied at the call.
struct Arguments
{
    std::vector<std::max_align_t> bytes;
    std::vector<void*> pointers;

    explicit Arguments(const emu::Kernel& kernel) : bytes(size_of(kernel) / sizeof(std::max_align_t) + 1)
    {
        for (int i = 0; i < kernel.parameter_count; ++i)
            pointers.push_back(reinterpret_cast<char*>(bytes.data()) + kernel.parameters[i].offset);
    }

    static size_t size_of(const emu::Kernel& kernel)
    {
        if (kernel.parameter_count == 0)
            return 0;
        const emu::Parameter& last = kernel.parameters[kernel.parameter_count - 1];
        return last.offset + last.size;
    }
};

int copy_parameters(const emu::Kernel& kernel, void** parameters, Arguments& arguments)
{
    for (int i = 0; i < kernel.parameter_count; ++i)
        if (!parameters[i])
            return CUDA_ERROR_INVALID_VALUE;
        else
            std::memcpy(arguments.pointers[size_t(i)], parameters[i], kernel.parameters[i].size);
    return CUDA_SUCCESS;
}

// The list of CU_LAUNCH_PARAM_BUFFER_POINTER and CU_LAUNCH_PARAM_BUFFER_SIZE. The size must be that of the parameters,
// give or take the padding behind the last one.
int copy_buffer(const emu::Kernel& kernel, void** extra, Arguments& arguments)
{
    const void* buffer = nullptr;
    const size_t* size = nullptr;
    for (; *extra; extra += 2)
        if (*extra == reinterpret_cast<void*>(1))
            buffer = extra[1];
        else if (*extra == reinterpret_cast<void*>(2))
            size = static_cast<const size_t*>(extra[1]);
        else
            return CUDA_ERROR_INVALID_VALUE;
    if (!buffer || !size)
        return CUDA_ERROR_INVALID_VALUE;
    size_t needed = Arguments::size_of(kernel);
    if (*size < needed || *size > (needed + 15) / 16 * 16)
    {
        emu::explain(std::string(kernel.name) + ": the buffer of arguments has " + std::to_string(*size) +
                     " bytes, the kernel's parameters have " + std::to_string(needed));
        return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    }
    std::memcpy(arguments.bytes.data(), buffer, needed);
    return CUDA_SUCCESS;
}

int launch(const Function& function, const emu::Grid& grid, CUstream handle, void** parameters, void** extra)
{
    const emu::Kernel& kernel = *function.kernel;
    std::shared_ptr<emu::Stream> stream;
    if (int status = emu::find_stream(handle, stream))
        return status;
    if (stream->context != function.context)
        return CUDA_ERROR_INVALID_HANDLE;
    if ((parameters && extra) || (kernel.parameter_count != 0 && !parameters && !extra))
        return CUDA_ERROR_INVALID_VALUE;
    std::string reason;
    if (int status =
            emu::check_launch(function.module->image, &kernel, grid, size_t(function.max_dynamic_shared), &reason))
    {
        emu::explain(reason);
        return status;
    }
    auto arguments = std::make_shared<Arguments>(kernel);
    if (int status = extra ? copy_buffer(kernel, extra, *arguments) : copy_parameters(kernel, parameters, *arguments))
        return status;
    auto work = [module = function.module, kernel = &kernel, name = function.name, grid, arguments] {
        if (module->image)
            return emu::run(module->image, kernel, grid, arguments->pointers.data());
        emu::report(emu::IllegalAddress, name + ": launched from a module that was unloaded before the launch ran");
        return emu::sticky_status();
    };
    return emu::enqueue(handle, "cuLaunchKernel", work);
}

// Blocks of `threads` that a multiprocessor with the attributes of the device holds.
int blocks_per_multiprocessor(const Function& function, int threads, size_t dynamic_shared)
{
    if (threads > threads_of(function) || dynamic_shared > size_t(function.max_dynamic_shared))
        return 0;
    int warps = (threads + 31) / 32;
    size_t shared = function.kernel->static_shared + dynamic_shared + 1024; // the system's share of each block
    return std::min({32, 64 / warps, int(233472 / shared)});
}

} // namespace

CUDA_API CUresult cuLaunchKernel(CUfunction f, unsigned gridDimX, unsigned gridDimY, unsigned gridDimZ,
                                 unsigned blockDimX, unsigned blockDimY, unsigned blockDimZ, unsigned sharedMemBytes,
                                 CUstream hStream, void** kernelParams, void** extra)
{
    return of_function("cuLaunchKernel", f, Needs::Work, [&](Function& function) {
        emu::Grid grid = {gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes};
        return launch(function, grid, hStream, kernelParams, extra);
    });
}

CUDA_API CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* numBlocks, CUfunction func, int blockSize,
                                                              size_t dynamicSMemSize)
{
    return of_function("cuOccupancyMaxActiveBlocksPerMultiprocessor", func, Needs::Work, [&](Function& function) {
        if (!numBlocks || blockSize < 1)
            return CUDA_ERROR_INVALID_VALUE;
        *numBlocks = blocks_per_multiprocessor(function, blockSize, dynamicSMemSize);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuOccupancyMaxPotentialBlockSize(int* minGridSize, int* blockSize, CUfunction func,
                                                   CUoccupancyB2DSize blockSizeToDynamicSMemSize,
                                                   size_t dynamicSMemSize, int blockSizeLimit)
{
    return of_function("cuOccupancyMaxPotentialBlockSize", func, Needs::Work, [&](Function& function) {
        if (!minGridSize || !blockSize || blockSizeLimit < 0)
            return CUDA_ERROR_INVALID_VALUE;
        int limit = blockSizeLimit == 0 ? threads_of(function) : std::min(blockSizeLimit, threads_of(function));
        int best_threads = 0;
        for (int threads = std::max(limit / 32 * 32, 1); threads > 0; threads -= 32)
        {
            size_t shared = blockSizeToDynamicSMemSize ? blockSizeToDynamicSMemSize(threads) : dynamicSMemSize;
            int blocks = blocks_per_multiprocessor(function, threads, shared);
            if (blocks * threads <= best_threads)
                continue;
            best_threads = blocks * threads;
            *blockSize = threads;
            *minGridSize = blocks * 132;
        }
        return best_threads > 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    });
}
