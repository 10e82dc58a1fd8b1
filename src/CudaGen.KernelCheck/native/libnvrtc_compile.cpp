// libnvrtc_compile.cpp - from the text of a kernel file to a module, by the system's C++ compiler.
//
// Three steps: preprocess the kernels alone, with no header in sight but theirs; read what comes out for kernels,
// variables and what NVRTC would refuse; compile it between the shim and the module's tables. A kernel that a macro
// makes is found, and one that #if takes away is not.
#include "libnvrtc_compile.h"
#include "emulator.h"
#include "emulator/process.h"
#include "libnvrtc_source.h"
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace nvrtc
{

namespace
{

namespace fs = std::filesystem;

// Frames of a kernel that come near the size of a fiber's stack.
constexpr const char* frame_limit = "131072";

struct Compiler
{
    std::string program; // empty: there is none
    bool is_clang = false;
};

Compiler find_compiler()
{
    const char* chosen = getenv("CUDAGEN_CXX");
    std::vector<std::string> candidates = {"g++", "clang++"};
    if (chosen && *chosen)
        candidates = {chosen};
    for (const std::string& program : candidates)
    {
        emu::ProcessRequest request;
        request.command = {program, "--version"};
        emu::ProcessResult result = emu::run_process(request);
        if (result.started && !result.output.empty())
            return {program, result.output.find("clang") != std::string::npos};
    }
    return {};
}

const Compiler& compiler()
{
    static const Compiler found = find_compiler();
    return found;
}

// The file that holds a function of this process.
fs::path library_of(const void* function)
{
    Dl_info info;
    if (!dladdr(function, &info))
        return {};
    std::error_code error;
    fs::path path = fs::canonical(info.dli_fname, error);
    return error ? fs::path(info.dli_fname) : path;
}

fs::path device_folder()
{
    return library_of(reinterpret_cast<const void*>(&nvrtc::compile)).parent_path() / "device";
}

// A private folder that goes away with its object.
class WorkFolder
{
  public:
    WorkFolder()
    {
        std::error_code error;
        fs::path parent = fs::temp_directory_path(error);
        std::string pattern = (error ? fs::path("/tmp") : parent) / "cudagen-nvrtc-XXXXXX";
        if (mkdtemp(pattern.data()))
            path_ = pattern;
    }
    ~WorkFolder()
    {
        std::error_code ignored;
        if (!path_.empty())
            fs::remove_all(path_, ignored);
    }
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;

    const fs::path& path() const
    {
        return path_;
    }

  private:
    fs::path path_;
};

std::string replace_all(std::string text, const std::string& what, const std::string& by)
{
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
    return text;
}

std::string read_file(const fs::path& path)
{
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

bool write_file(const fs::path& path, const std::string& text)
{
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    return !file.fail();
}

class Compilation
{
  public:
    Compilation(const std::string& name, const Options& options) : name_(name), options_(options)
    {
        contract_ = emu::settings().contract && options.contract;
        checked_ = emu::settings().checked;
    }

    Result run(const std::string& text, const std::vector<Header>& headers)
    {
        if (folder_.path().empty())
            result_.log = "no folder for temporary files could be made\n";
        else if (compiler().program.empty())
            result_.log = "no C++ compiler was found: install g++ or clang++, or set CUDAGEN_CXX\n";
        else if (write_headers(headers) && preprocess(text) && read() && compile() && link())
            load();
        return std::move(result_);
    }

  private:
    fs::path file(const char* name) const
    {
        return folder_.path() / name;
    }

    // Headers keep the names that #include knows them by, and stay in their folder.
    bool write_headers(const std::vector<Header>& headers)
    {
        std::error_code error;
        fs::create_directory(file("include"), error);
        for (const Header& header : headers)
        {
            fs::path path = (file("include") / header.name).lexically_normal();
            if (path.string().compare(0, file("include").string().size(), file("include").string()) == 0)
                fs::create_directories(path.parent_path(), error);
            else
                path.clear();
            if (path.empty() || !write_file(path, header.text))
            {
                result_.log = "header " + header.name + " cannot be written\n";
                return false;
            }
        }
        return true;
    }

    bool preprocess(const std::string& text)
    {
        if (!write_file(file("source.cu"), "# 1 \"" + name_ + "\"\n" + text))
            return fail("the source cannot be written\n");
        std::vector<std::string> arguments = {"-E",
                                              "-x",
                                              "c++",
                                              "-std=" + options_.standard,
                                              "-nostdinc",
                                              "-nostdinc++",
                                              "-D__CUDACC__",
                                              "-D__CUDACC_RTC__",
                                              "-DCUDAGEN_EMULATOR",
                                              "-D__CUDACC_VER_MAJOR__=12",
                                              "-D__CUDACC_VER_MINOR__=8",
                                              "-D__CUDA_ARCH__=" + std::to_string(options_.architecture * 10),
                                              "-I" + file("include").string()};
        arguments.insert(arguments.end(), options_.preprocessor.begin(), options_.preprocessor.end());
        arguments.insert(arguments.end(), {file("source.cu"), "-o", file("unit.ii")});
        return run_compiler(arguments, ""); // the options may name folders relative to this process's
    }

    // Markers lose the flags that mean something to a preprocessor's output only, and paths of this machine.
    static std::string clean_markers(const std::string& text)
    {
        std::istringstream lines(text);
        std::string result;
        for (std::string line; std::getline(lines, line);)
        {
            if (line.compare(0, 2, "# ") == 0)
                line.erase(std::min(line.rfind('"') + 1, line.size()));
            result += line + "\n";
        }
        return result;
    }

    bool read()
    {
        std::string text = clean_markers(replace_all(read_file(file("unit.ii")), file("include").string() + "/", ""));
        Source source = read_source(text);
        check_dialect(source, options_.default_device);
        result_.log += source.errors;
        if (!source.errors.empty())
            return false;
        text = "#include \"cudagen_device.h\"\n" + text;
        return (write_file(file("alone.cpp"), text) &&
                write_file(file("unit.cpp"), text + module_table(source, checked_))) ||
               fail("the translation unit cannot be written\n");
    }

    std::vector<std::string> flags() const
    {
        std::vector<std::string> list = {options_.warnings ? "-Wall" : "-w",
                                         "-Wno-sign-compare",
                                         "-Wno-unknown-pragmas",
                                         "-Werror=vla",
                                         "-x",
                                         "c++",
                                         "-std=" + options_.standard,
                                         "-fPIC",
                                         "-fvisibility=hidden",
                                         "-ffunction-sections", // so that every call has a relocation
                                         "-fno-exceptions",
                                         "-fno-rtti",
                                         "-fno-math-errno",
                                         "-fno-trapping-math",
                                         "-fno-strict-aliasing",
                                         contract_ ? "-ffp-contract=fast" : "-ffp-contract=off",
                                         "-ffile-prefix-map=" + folder_.path().string() + "=."};
        auto add = [&list](std::initializer_list<std::string> more) { list.insert(list.end(), more); };
#if defined(__x86_64__)
        if (contract_ && __builtin_cpu_supports("fma"))
            add({"-mfma"});
#endif
        if (compiler().is_clang)
            add({"-Wframe-larger-than=" + std::string(frame_limit), "-Werror=frame-larger-than=", "-Wno-pass-failed",
                 "-Wno-unused-command-line-argument"});
        else
            add({"-Werror=frame-larger-than=" + std::string(frame_limit), "-fno-extern-tls-init", "-fno-gnu-unique",
                 "-pipe"});
        if (!checked_)
        {
            add({"-O2"});
            return list;
        }
        // DWARF 4, as with 5 some versions of addr2line name the wrong file.
        add({"-O1", "-gdwarf-4", "-DCUDAGEN_CHECKED", "-fsanitize=thread",
             "-fsanitize=bounds,alignment,null,shift,integer-divide-by-zero,signed-integer-overflow",
             "-fsanitize=float-cast-overflow,return,unreachable"});
        if (compiler().is_clang)
            add({"-mllvm", "-tsan-instrument-func-entry-exit=0", "-mllvm", "-tsan-instrument-read-before-write=1"});
        else
            add({"--param=tsan-instrument-func-entry-exit=0"});
        return list;
    }

    bool compile()
    {
        std::error_code error;
        fs::create_directory_symlink(device_folder(), file(emu::shim_folder), error);
        std::vector<std::string> arguments = flags();
        arguments.push_back("-I" + std::string(emu::shim_folder));
        std::vector<std::string> alone = arguments;
        arguments.insert(arguments.end(), {"-c", "unit.cpp", "-o", file("unit.o")});
        std::string before = result_.log;
        if (run_compiler(arguments, folder_.path()))
            return true;
        // After a brace that is not closed the table is wrong too, and the compiler says so: the kernels alone are what
        // counts.
        std::string whole = std::exchange(result_.log, before);
        alone.insert(alone.end(), {"-fsyntax-only", "alone.cpp"});
        run_compiler(alone, folder_.path());
        if (result_.log.find("error: ", before.size()) == std::string::npos)
            result_.log = whole;
        return false;
    }

    // The relocations stay in the module, as they tell which functions and shared arrays a kernel uses.
    // Without any sanitizer: their run-time library is the emulator. It is found by its SONAME, as it is loaded already
    // wherever a module is, so the module names no path.
    bool link()
    {
        fs::path emulator = library_of(reinterpret_cast<const void*>(&emu::settings));
        return run_compiler({"-shared", "-Wl,-z,defs", "-Wl,--build-id=none", "-Wl,--emit-relocs", file("unit.o"),
                             emulator, "-lm", "-o", file("module.so")},
                            folder_.path());
    }

    // Whether the module can be loaded is found out here, where there is a log.
    void load()
    {
        result_.image = read_file(file("module.so"));
        std::string error;
        emu::Module* module = emu::load(result_.image.data(), error);
        result_.compiled = module != nullptr;
        if (module)
            emu::unload(module);
        else
            result_.log += name_ + ": error: " + error + "\n";
    }

    bool fail(const std::string& text)
    {
        result_.log += text;
        return false;
    }

    bool run_compiler(std::vector<std::string> arguments, const std::string& working_folder)
    {
        emu::ProcessRequest request;
        request.command = {compiler().program};
        request.command.insert(request.command.end(), arguments.begin(), arguments.end());
        request.environment = {"LC_ALL=C", "TMPDIR=" + folder_.path().string()};
        request.folder = working_folder;
        request.errors_too = true;
        emu::ProcessResult done = emu::run_process(request);
        if (!done.started)
            return fail(compiler().program + " cannot be started\n");
        std::string text = replace_all(done.output, file("include").string() + "/", "");
        text = replace_all(text, emu::shim_folder + std::string("/"), "");
        result_.log += replace_all(text, folder_.path().string() + "/", "");
        // Where another part of the process collected the exit status, the file tells.
        return done.status == 0 || (done.status < 0 && fs::exists(arguments.back()));
    }

    std::string name_;
    Options options_;
    bool contract_, checked_;
    WorkFolder folder_;
    Result result_;
};

} // namespace

Result compile(const std::string& name, const std::string& text, const std::vector<Header>& headers,
               const Options& options)
{
    return Compilation(name, options).run(text, headers);
}

} // namespace nvrtc
