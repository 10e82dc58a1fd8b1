// libnvrtc_tokens.h - cuts preprocessed text into tokens.
#pragma once
#include "libnvrtc_source.h"

namespace nvrtc
{

void tokenise(const std::string& text, Source& source);

} // namespace nvrtc
