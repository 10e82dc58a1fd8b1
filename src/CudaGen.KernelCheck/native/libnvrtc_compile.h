// libnvrtc_compile.h - from the text of a kernel file to a module, by the system's C++ compiler.
#pragma once
#include "libnvrtc_options.h"

namespace nvrtc
{

struct Header
{
    std::string name, text;
};

struct Result
{
    bool compiled = false;
    std::string image; // the bytes of a shared library
    std::string log;
};

Result compile(const std::string& name, const std::string& text, const std::vector<Header>& headers,
               const Options& options);

} // namespace nvrtc
