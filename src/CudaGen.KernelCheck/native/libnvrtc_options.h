// libnvrtc_options.h - the options of nvrtcCompileProgram.
#pragma once
#include <string>
#include <vector>

namespace nvrtc
{

struct Options
{
    std::vector<std::string> preprocessor; // -D, -U, -I, -include, as the host compiler takes them
    int architecture = 52;                 // of sm_52 or compute_52
    bool virtual_architecture = true;      // compute_XX: PTX is asked for, and there is no CUBIN
    std::string standard = "c++17";
    bool contract = true;
    bool default_device = false; // what has no execution space is __device__
    bool warnings = true;
};

const std::vector<int>& supported_architectures();

// False, with the reason, for what NVRTC does not know.
bool parse_options(const std::vector<std::string>& arguments, Options& options, std::string& error);

} // namespace nvrtc
