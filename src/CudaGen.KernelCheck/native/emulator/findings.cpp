// findings.cpp - from what a launch found to reports.
#include "findings.h"
#include "module.h"
#include <algorithm>
#include <cstdlib>

namespace emu
{

namespace
{

constexpr char mark = '\1';

void collect_marks(const std::string& text, std::vector<uint32_t>& codes)
{
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, text.find(mark, at + 1) + 1))
        codes.push_back(static_cast<uint32_t>(strtoul(text.c_str() + at + 1, nullptr, 16)));
}

std::string replace_marks(const std::string& text, const std::unordered_map<uint32_t, std::string>& lines)
{
    std::string result;
    for (size_t i = 0; i < text.size(); ++i)
    {
        if (text[i] != mark)
        {
            result += text[i];
            continue;
        }
        result += lines.at(static_cast<uint32_t>(strtoul(text.c_str() + i + 1, nullptr, 16)));
        i = text.find(mark, i + 1);
    }
    return result;
}

} // namespace

std::string code_mark(uint32_t code)
{
    char text[16];
    snprintf(text, sizeof text, "%c%x%c", mark, code, mark);
    return text;
}

Status Findings::publish(Module& module, const char* kernel)
{
    if (list_.empty())
        return Success;
    Status status = list_.front().status;
    list_.resize(std::min(list_.size(), static_cast<size_t>(settings().max_reports)));
    std::vector<uint32_t> codes;
    for (const Finding& finding : list_)
        collect_marks(finding.text, codes);
    std::unordered_map<uint32_t, std::string> lines;
    std::vector<std::string> texts = module.source_lines(codes);
    for (size_t i = 0; i < codes.size(); ++i)
        lines[codes[i]] = texts[i];
    for (const Finding& finding : list_)
    {
        std::string repeated = finding.count > 1 ? " (" + std::to_string(finding.count) + " times)" : "";
        report(finding.status, kernel + (": " + replace_marks(finding.text, lines)) + repeated);
    }
    return status;
}

} // namespace emu
