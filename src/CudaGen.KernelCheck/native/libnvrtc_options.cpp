// libnvrtc_options.cpp - the options of nvrtcCompileProgram, as NVIDIA documents them.
#include "libnvrtc_options.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace nvrtc
{

namespace
{

enum class Value
{
    None,    // --option
    Needed,  // --option=value, or the value as the next argument
    Boolean, // --option=true|false, or --option for true
};

// Options that change nothing on a CPU are understood and have no effect.
enum class Meaning
{
    Nothing,
    Architecture,
    Standard,
    Contraction,
    DefaultDevice,
    NoWarnings,
    FastMath,
    Define,
    Undefine,
    IncludePath,
    PreInclude,
};

struct Known
{
    const char *name, *short_name;
    Value value;
    Meaning meaning;
};

constexpr Known known_options[] = {
    {"gpu-architecture", "arch", Value::Needed, Meaning::Architecture},
    {"std", "std", Value::Needed, Meaning::Standard},
    {"fmad", "fmad", Value::Boolean, Meaning::Contraction},
    {"use_fast_math", "use_fast_math", Value::None, Meaning::FastMath},
    {"device-as-default-execution-space", "default-device", Value::None, Meaning::DefaultDevice},
    {"disable-warnings", "w", Value::None, Meaning::NoWarnings},
    {"define-macro", "D", Value::Needed, Meaning::Define},
    {"undefine-macro", "U", Value::Needed, Meaning::Undefine},
    {"include-path", "I", Value::Needed, Meaning::IncludePath},
    {"pre-include", "include", Value::Needed, Meaning::PreInclude},
    {"device-debug", "G", Value::None, Meaning::Nothing},
    {"generate-line-info", "lineinfo", Value::None, Meaning::Nothing},
    {"maxrregcount", "maxrregcount", Value::Needed, Meaning::Nothing},
    {"ftz", "ftz", Value::Boolean, Meaning::Nothing},
    {"prec-sqrt", "prec-sqrt", Value::Boolean, Meaning::Nothing},
    {"prec-div", "prec-div", Value::Boolean, Meaning::Nothing},
    {"extra-device-vectorization", "extra-device-vectorization", Value::None, Meaning::Nothing},
    {"dopt", "dopt", Value::Needed, Meaning::Nothing},
    {"ptxas-options", "Xptxas", Value::Needed, Meaning::Nothing},
    {"restrict", "restrict", Value::None, Meaning::Nothing},
    {"modify-stack-limit", "modify-stack-limit", Value::Boolean, Meaning::Nothing},
    {"builtin-move-forward", "builtin-move-forward", Value::Boolean, Meaning::Nothing},
    {"builtin-initializer-list", "builtin-initializer-list", Value::Boolean, Meaning::Nothing},
    {"no-source-include", "no-source-include", Value::None, Meaning::Nothing},
    {"device-int128", "device-int128", Value::None, Meaning::Nothing},
    {"display-error-number", "err-no", Value::None, Meaning::Nothing},
    {"no-display-error-number", "no-err-no", Value::None, Meaning::Nothing},
    {"diag-error", "diag-error", Value::Needed, Meaning::Nothing},
    {"diag-suppress", "diag-suppress", Value::Needed, Meaning::Nothing},
    {"diag-warn", "diag-warn", Value::Needed, Meaning::Nothing},
    {"brief-diagnostics", "brief-diag", Value::Boolean, Meaning::Nothing},
    {"split-compile", "split-compile", Value::Needed, Meaning::Nothing},
};

const Known* find(const std::string& name, bool two_dashes)
{
    for (const Known& known : known_options)
        if (name == (two_dashes ? known.name : known.short_name))
            return &known;
    return nullptr;
}

// "-DNAME=1" and "-Idir": the short name and its value in one word.
const Known* find_joined(const std::string& argument, std::string& value)
{
    if (argument.size() < 3 || argument[0] != '-' || !strchr("DUI", argument[1]))
        return nullptr;
    value = argument.substr(2);
    return find(argument.substr(1, 1), false);
}

bool set_architecture(const std::string& value, Options& options)
{
    bool is_virtual = value.compare(0, 8, "compute_") == 0;
    size_t digits = is_virtual ? 8 : 3;
    if (!is_virtual && value.compare(0, 3, "sm_") != 0)
        return false;
    char* end;
    long number = strtol(value.c_str() + digits, &end, 10);
    std::string suffix = end;
    const std::vector<int>& all = supported_architectures();
    if (std::find(all.begin(), all.end(), number) == all.end() || (!suffix.empty() && (suffix != "a" || number < 90)))
        return false;
    options.architecture = static_cast<int>(number);
    options.virtual_architecture = is_virtual;
    return true;
}

bool set_standard(std::string value, Options& options)
{
    for (const char* standard : {"c++03", "c++11", "c++14", "c++17", "c++20"})
        if (value == standard)
        {
            options.standard = value == "c++20" ? value : "c++17"; // the shim needs as much
            return true;
        }
    return false;
}

bool apply(const Known& known, const std::string& value, Options& options)
{
    switch (known.meaning)
    {
    case Meaning::Nothing:
        return true;
    case Meaning::Architecture:
        return set_architecture(value, options);
    case Meaning::Standard:
        return set_standard(value, options);
    case Meaning::Contraction:
        options.contract = value == "true";
        return true;
    case Meaning::FastMath:
        options.contract = true;
        return true;
    case Meaning::DefaultDevice:
        options.default_device = true;
        return true;
    case Meaning::NoWarnings:
        options.warnings = false;
        return true;
    case Meaning::Define:
        options.preprocessor.push_back("-D" + value);
        return true;
    case Meaning::Undefine:
        options.preprocessor.push_back("-U" + value);
        return true;
    case Meaning::IncludePath:
        options.preprocessor.push_back("-I" + value);
        return true;
    case Meaning::PreInclude:
        options.preprocessor.push_back("-include");
        options.preprocessor.push_back(value);
        return true;
    }
    return false;
}

} // namespace

const std::vector<int>& supported_architectures()
{
    static const std::vector<int> list = {50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 120};
    return list;
}

bool parse_options(const std::vector<std::string>& arguments, Options& options, std::string& error)
{
    for (size_t i = 0; i < arguments.size(); ++i)
    {
        const std::string& argument = arguments[i];
        size_t dashes = argument.compare(0, 2, "--") == 0 ? 2 : 1, equals = argument.find('=');
        std::string name = argument.substr(std::min(dashes, argument.size()), equals - dashes), value;
        const Known* known = find(name, dashes == 2);
        bool has_value = known && equals != std::string::npos;
        if (has_value)
            value = argument.substr(equals + 1);
        if (!known && (known = find_joined(argument, value)))
            has_value = true;
        if (!known || argument.compare(0, 1, "-") != 0)
        {
            error = "nvrtc: error: unrecognized option " + argument + " found";
            return false;
        }
        if (known->value == Value::Needed && !has_value && i + 1 < arguments.size())
        {
            value = arguments[++i];
            has_value = true;
        }
        if (known->value == Value::Boolean && !has_value)
        {
            value = "true";
            has_value = true;
        }
        bool well_formed = known->value == Value::Needed    ? has_value
                           : known->value == Value::Boolean ? value == "true" || value == "false"
                                                            : !has_value;
        if (!well_formed || !apply(*known, value, options))
        {
            error = "nvrtc: error: invalid value for option --" + std::string(known->name) + ": '" + value + "'";
            return false;
        }
    }
    return true;
}

} // namespace nvrtc
