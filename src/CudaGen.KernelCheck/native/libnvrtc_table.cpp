// libnvrtc_table.cpp - the text that ends a module: the tables of its kernels and variables.
#include "device/cudagen_abi.h"
#include "libnvrtc_source.h"

namespace nvrtc
{

namespace
{

std::string quoted(const std::string& text)
{
    std::string result = "\"";
    for (char c : text)
        result += (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
    return result + "\"";
}

std::string kernel_rows(const Source& source)
{
    std::string rows;
    for (const Function& kernel : source.functions)
    {
        if (!kernel.global || !kernel.extern_c || kernel.is_template)
            continue;
        std::string bound = kernel.launch_bound.empty() ? "0" : kernel.launch_bound;
        rows += "    cudagen::Entry<&" + kernel.qualified_name + ">::describe(" + quoted(kernel.name) + ", " +
                quoted(kernel.parameters) + ", int(" + bound + ")),\n";
    }
    return rows;
}

std::string symbol_rows(const Source& source)
{
    std::string rows;
    for (const Variable& variable : source.variables)
        if (variable.device || variable.constant)
            rows += "    {{" + quoted(variable.name) + ", (void*)&" + variable.qualified_name + ", sizeof(" +
                    variable.qualified_name + ")}, " + (variable.constant ? "true" : "false") + "},\n";
    return rows;
}

// All names of dynamic shared memory mean the same bytes, as on a GPU.
std::string shared_names(const Source& source)
{
    std::string text;
    for (const std::string& name : source.dynamic_shared)
        text += "__asm__(\".globl " + name + "\\n.hidden " + name + "\\n.type " + name + ", @tls_object\\n.set " +
                name + ", cudagen_dynamic_shared\\n\");\n";
    return text;
}

} // namespace

std::string module_table(const Source& source, bool checked)
{
    size_t dynamic = source.dynamic_shared.empty() ? 0 : emu::max_dynamic_shared_memory;
    std::string text = "\n# 1 \"module table\"\n";
    text += "static constexpr emu::Kernel cudagen_kernels[] = {\n" + kernel_rows(source) + "    {}};\n";
    text += "static const emu::SymbolEntry cudagen_symbols[] = {\n" + symbol_rows(source) + "    {}};\n";
    text += "extern \"C\" { alignas(128) thread_local char cudagen_dynamic_shared[" +
            std::to_string(dynamic + emu::shared_red_zone) + "]; }\n" + shared_names(source);
    text += "static void* cudagen_shared() { return cudagen_dynamic_shared; }\n";
    text += "extern \"C\" { extern const emu::ModuleTable cudagen_module __attribute__((visibility(\"default\"))); }\n";
    text += "const emu::ModuleTable cudagen_module = {emu::abi_version, " + std::string(checked ? "true" : "false") +
            ", cudagen_kernels, sizeof cudagen_kernels / sizeof *cudagen_kernels - 1, cudagen_symbols, "
            "sizeof cudagen_symbols / sizeof *cudagen_symbols - 1, cudagen_shared, " +
            std::to_string(dynamic) + "};\n";
    return text;
}

} // namespace nvrtc
