// libnvrtc.cpp - libnvrtc.so.12: NVIDIA's run-time compiler, for kernels that run on the CPU.
//
// Exports NVIDIA's names. A "CUBIN" is a shared library of this machine, which the stand-in of the driver loads.
#include "libnvrtc_compile.h"
#include "stream.h"
#include <cstring>
#include <map>
#include <memory>
#include <mutex>

#define NVRTC_EXPORT extern "C" __attribute__((visibility("default")))

enum nvrtcResult : int
{
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_OUT_OF_MEMORY = 1,
    NVRTC_ERROR_PROGRAM_CREATION_FAILURE = 2,
    NVRTC_ERROR_INVALID_INPUT = 3,
    NVRTC_ERROR_INVALID_PROGRAM = 4,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
    NVRTC_ERROR_BUILTIN_OPERATION_FAILURE = 7,
    NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION = 8,
    NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION = 9,
    NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID = 10,
    NVRTC_ERROR_INTERNAL_ERROR = 11,
    NVRTC_ERROR_TIME_FILE_WRITE_FAILED = 12,
    NVRTC_ERROR_NO_PCH_CREATE_ATTEMPTED = 13,
    NVRTC_ERROR_PCH_CREATE_HEAP_EXHAUSTED = 14,
    NVRTC_ERROR_PCH_CREATE = 15,
    NVRTC_ERROR_CANCELLED = 16,
};

typedef struct _nvrtcProgram* nvrtcProgram;

namespace
{

struct Program
{
    std::string name, text;
    std::vector<nvrtc::Header> headers;
    bool virtual_architecture = true;
    nvrtc::Result result;
};

// Handles are numbers, so that one that was destroyed is known for it.
std::mutex programs_lock;
std::map<uintptr_t, std::shared_ptr<Program>> programs;
uintptr_t last_handle = 0;

std::shared_ptr<Program> find(nvrtcProgram handle)
{
    std::lock_guard<std::mutex> guard(programs_lock);
    auto position = programs.find(reinterpret_cast<uintptr_t>(handle));
    return position == programs.end() ? nullptr : position->second;
}

// What the getters have in common: a program, a place for the answer, and no fault injected.
template <typename Give> nvrtcResult answer(const char* function, nvrtcProgram handle, const void* place, Give give)
{
    if (int fault = emu::call(function))
        return static_cast<nvrtcResult>(fault);
    std::shared_ptr<Program> program = find(handle);
    if (!program)
        return NVRTC_ERROR_INVALID_PROGRAM;
    if (!place)
        return NVRTC_ERROR_INVALID_INPUT;
    return give(*program);
}

constexpr const char* result_names[] = {
    "NVRTC_SUCCESS",
    "NVRTC_ERROR_OUT_OF_MEMORY",
    "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
    "NVRTC_ERROR_INVALID_INPUT",
    "NVRTC_ERROR_INVALID_PROGRAM",
    "NVRTC_ERROR_INVALID_OPTION",
    "NVRTC_ERROR_COMPILATION",
    "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
    "NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION",
    "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION",
    "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID",
    "NVRTC_ERROR_INTERNAL_ERROR",
    "NVRTC_ERROR_TIME_FILE_WRITE_FAILED",
    "NVRTC_ERROR_NO_PCH_CREATE_ATTEMPTED",
    "NVRTC_ERROR_PCH_CREATE_HEAP_EXHAUSTED",
    "NVRTC_ERROR_PCH_CREATE",
    "NVRTC_ERROR_CANCELLED",
};

} // namespace

NVRTC_EXPORT const char* nvrtcGetErrorString(nvrtcResult result)
{
    emu::call("nvrtcGetErrorString");
    auto index = static_cast<size_t>(result);
    return index < sizeof result_names / sizeof *result_names ? result_names[index] : "NVRTC_ERROR unknown";
}

NVRTC_EXPORT nvrtcResult nvrtcVersion(int* major, int* minor)
{
    if (int fault = emu::call("nvrtcVersion"))
        return static_cast<nvrtcResult>(fault);
    if (!major || !minor)
        return NVRTC_ERROR_INVALID_INPUT;
    *major = 12;
    *minor = 8;
    return NVRTC_SUCCESS;
}

NVRTC_EXPORT nvrtcResult nvrtcGetNumSupportedArchs(int* numArchs)
{
    if (int fault = emu::call("nvrtcGetNumSupportedArchs"))
        return static_cast<nvrtcResult>(fault);
    if (!numArchs)
        return NVRTC_ERROR_INVALID_INPUT;
    *numArchs = static_cast<int>(nvrtc::supported_architectures().size());
    return NVRTC_SUCCESS;
}

NVRTC_EXPORT nvrtcResult nvrtcGetSupportedArchs(int* supportedArchs)
{
    if (int fault = emu::call("nvrtcGetSupportedArchs"))
        return static_cast<nvrtcResult>(fault);
    if (!supportedArchs)
        return NVRTC_ERROR_INVALID_INPUT;
    for (int architecture : nvrtc::supported_architectures())
        *supportedArchs++ = architecture;
    return NVRTC_SUCCESS;
}

NVRTC_EXPORT nvrtcResult nvrtcCreateProgram(nvrtcProgram* prog, const char* src, const char* name, int numHeaders,
                                            const char* const* headers, const char* const* includeNames)
{
    if (int fault = emu::call("nvrtcCreateProgram"))
        return static_cast<nvrtcResult>(fault);
    if (!prog || !src || numHeaders < 0 || (numHeaders > 0 && (!headers || !includeNames)))
        return NVRTC_ERROR_INVALID_INPUT;
    auto program = std::make_shared<Program>();
    program->name = name && *name ? name : "default_program";
    program->text = src;
    for (int i = 0; i < numHeaders; ++i)
    {
        if (!headers[i] || !includeNames[i])
            return NVRTC_ERROR_INVALID_INPUT;
        program->headers.push_back({includeNames[i], headers[i]});
    }
    std::lock_guard<std::mutex> guard(programs_lock);
    programs[++last_handle] = program;
    *prog = reinterpret_cast<nvrtcProgram>(last_handle);
    return NVRTC_SUCCESS;
}

NVRTC_EXPORT nvrtcResult nvrtcDestroyProgram(nvrtcProgram* prog)
{
    if (int fault = emu::call("nvrtcDestroyProgram"))
        return static_cast<nvrtcResult>(fault);
    if (!prog)
        return NVRTC_ERROR_INVALID_PROGRAM;
    std::lock_guard<std::mutex> guard(programs_lock);
    if (programs.erase(reinterpret_cast<uintptr_t>(*prog)) == 0)
        return NVRTC_ERROR_INVALID_PROGRAM;
    *prog = nullptr;
    return NVRTC_SUCCESS;
}

NVRTC_EXPORT nvrtcResult nvrtcCompileProgram(nvrtcProgram prog, int numOptions, const char* const* options)
{
    return answer("nvrtcCompileProgram", prog, prog, [&](Program& program) {
        if (numOptions < 0 || (numOptions > 0 && !options))
            return NVRTC_ERROR_INVALID_INPUT;
        std::vector<std::string> arguments;
        for (int i = 0; i < numOptions; ++i)
            arguments.push_back(options[i] ? options[i] : "");
        nvrtc::Options parsed;
        program.result = {};
        if (!nvrtc::parse_options(arguments, parsed, program.result.log))
            return NVRTC_ERROR_INVALID_OPTION;
        program.virtual_architecture = parsed.virtual_architecture;
        program.result = nvrtc::compile(program.name, program.text, program.headers, parsed);
        return program.result.compiled ? NVRTC_SUCCESS : NVRTC_ERROR_COMPILATION;
    });
}

NVRTC_EXPORT nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram prog, size_t* logSizeRet)
{
    return answer("nvrtcGetProgramLogSize", prog, logSizeRet, [&](Program& program) {
        *logSizeRet = program.result.log.size() + 1;
        return NVRTC_SUCCESS;
    });
}

NVRTC_EXPORT nvrtcResult nvrtcGetProgramLog(nvrtcProgram prog, char* log)
{
    return answer("nvrtcGetProgramLog", prog, log, [&](Program& program) {
        memcpy(log, program.result.log.c_str(), program.result.log.size() + 1);
        return NVRTC_SUCCESS;
    });
}

// NVIDIA's CUBIN exists for a real architecture only, and its size is 0 for a virtual one.
NVRTC_EXPORT nvrtcResult nvrtcGetCUBINSize(nvrtcProgram prog, size_t* cubinSizeRet)
{
    return answer("nvrtcGetCUBINSize", prog, cubinSizeRet, [&](Program& program) {
        if (!program.result.compiled)
            return NVRTC_ERROR_INVALID_PROGRAM;
        *cubinSizeRet = program.virtual_architecture ? 0 : program.result.image.size();
        return NVRTC_SUCCESS;
    });
}

NVRTC_EXPORT nvrtcResult nvrtcGetCUBIN(nvrtcProgram prog, char* cubin)
{
    return answer("nvrtcGetCUBIN", prog, cubin, [&](Program& program) {
        if (!program.result.compiled || program.virtual_architecture)
            return NVRTC_ERROR_INVALID_PROGRAM;
        memcpy(cubin, program.result.image.data(), program.result.image.size());
        return NVRTC_SUCCESS;
    });
}

// What stands for PTX is the same image: a program that asks for PTX hands it to the driver all the same.
NVRTC_EXPORT nvrtcResult nvrtcGetPTXSize(nvrtcProgram prog, size_t* ptxSizeRet)
{
    return answer("nvrtcGetPTXSize", prog, ptxSizeRet, [&](Program& program) {
        if (!program.result.compiled)
            return NVRTC_ERROR_INVALID_PROGRAM;
        *ptxSizeRet = program.result.image.size();
        return NVRTC_SUCCESS;
    });
}

NVRTC_EXPORT nvrtcResult nvrtcGetPTX(nvrtcProgram prog, char* ptx)
{
    return answer("nvrtcGetPTX", prog, ptx, [&](Program& program) {
        if (!program.result.compiled)
            return NVRTC_ERROR_INVALID_PROGRAM;
        memcpy(ptx, program.result.image.data(), program.result.image.size());
        return NVRTC_SUCCESS;
    });
}
