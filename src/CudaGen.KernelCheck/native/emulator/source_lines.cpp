// source_lines.cpp - from code addresses to lines of the kernel's text, by binutils' addr2line.
#include "module.h"
#include "process.h"
#include <cstdlib>
#include <cxxabi.h>

namespace emu
{

namespace
{

// The innermost frame of a kernel file: those of the shim's own headers say nothing to its reader.
bool is_kernel_line(const std::string& line)
{
    return line.find("??") == std::string::npos && line.find(shim_folder) == std::string::npos &&
           line.find(":0") != line.size() - 2 && line.find(':') != std::string::npos;
}

std::string shorten(std::string line)
{
    if (line.compare(0, 2, "./") == 0)
        line.erase(0, 2);
    return line.substr(0, line.find(" (discriminator"));
}

// With -a each address is followed by the frames inlined there, from the innermost to the outermost.
std::vector<std::string> parse(const std::string& output)
{
    std::vector<std::string> lines;
    bool open = false;
    for (size_t at = 0; at < output.size();)
    {
        size_t end = std::min(output.find('\n', at), output.size());
        std::string line = output.substr(at, end - at);
        at = end + 1;
        if (line.compare(0, 2, "0x") == 0)
        {
            lines.emplace_back();
            open = true;
        }
        else if (open && is_kernel_line(line))
        {
            lines.back() = shorten(line);
            open = false;
        }
    }
    return lines;
}

} // namespace

std::vector<std::string> Module::source_lines(const std::vector<uint32_t>& codes) const
{
    if (codes.empty())
        return {};
    ProcessRequest request;
    request.command = {"addr2line", "-a", "-i", "-e", "/proc/self/fd/3"};
    request.descriptor = file_;
    for (uint32_t code : codes)
    {
        char text[16];
        snprintf(text, sizeof text, "0x%x", code);
        request.command.push_back(text);
    }
    std::vector<std::string> lines = parse(run_process(request).output);
    lines.resize(codes.size());
    for (size_t i = 0; i < codes.size(); ++i)
        if (lines[i].empty())
            lines[i] = function_at(codes[i]);
    return lines;
}

std::string Module::function_at(uint32_t code) const
{
    for (const ElfSymbol& function : elf_.functions)
        if (code - function.value < function.size)
        {
            int status;
            char* text = abi::__cxa_demangle(function.name.c_str(), nullptr, nullptr, &status);
            char offset[16];
            snprintf(offset, sizeof offset, "+0x%x", static_cast<unsigned>(code - function.value));
            std::string result = (text ? text : function.name) + std::string(offset);
            free(text);
            return result;
        }
    return "an unknown line";
}

} // namespace emu
