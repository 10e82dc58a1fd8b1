// libnvrtc_tokens.cpp - cuts preprocessed text into tokens.
#include "libnvrtc_tokens.h"
#include <cctype>
#include <cstdlib>

namespace nvrtc
{

namespace
{

bool is_word(char c)
{
    return isalnum(static_cast<unsigned char>(c)) || c == '_';
}

class Scanner
{
  public:
    Scanner(const std::string& text, Source& source) : text_(text), source_(source)
    {
    }

    void run()
    {
        while (at_ < text_.size())
            step();
    }

  private:
    char peek(size_t ahead = 0) const
    {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    void step()
    {
        char c = peek();
        if (c == '\n')
        {
            ++line_;
            ++at_;
            at_line_start_ = true;
        }
        else if (isspace(static_cast<unsigned char>(c)))
            ++at_;
        else if (c == '#' && at_line_start_)
            directive();
        else
        {
            at_line_start_ = false;
            token(c);
        }
    }

    void token(char c)
    {
        if (c == '"' || c == '\'')
            literal(c);
        else if (isdigit(static_cast<unsigned char>(c)) || (c == '.' && isdigit(static_cast<unsigned char>(peek(1)))))
            take(Token::Number,
                 [this](size_t i) { return is_word(text_[i]) || text_[i] == '.' || is_exponent_sign(i); });
        else if (is_word(c))
            take(Token::Word, [this](size_t i) { return is_word(text_[i]); });
        else
            punctuation(c);
    }

    bool is_exponent_sign(size_t i) const
    {
        return (text_[i] == '+' || text_[i] == '-') && i > at_ && (text_[i - 1] == 'e' || text_[i - 1] == 'E') &&
               text_.compare(at_, 2, "0x") != 0;
    }

    template <typename Continues> void take(Token::Kind kind, Continues continues)
    {
        size_t end = at_;
        while (end < text_.size() && (end == at_ || continues(end)))
            ++end;
        add(kind, end);
    }

    void literal(char quote)
    {
        size_t end = at_ + 1;
        while (end < text_.size() && text_[end] != quote && text_[end] != '\n')
            end += text_[end] == '\\' ? 2 : 1;
        add(Token::Text, std::min(end + 1, text_.size()));
    }

    void punctuation(char c)
    {
        bool pair = (c == ':' && peek(1) == ':') || (c == '-' && peek(1) == '>');
        add(Token::Punctuation, at_ + (pair ? 2 : 1));
    }

    void add(Token::Kind kind, size_t end)
    {
        source_.tokens.push_back({kind, text_.substr(at_, end - at_), file_, line_});
        at_ = end;
    }

    // # 17 "k.cu" says where the next line comes from; other directives are pragmas.
    void directive()
    {
        size_t end = std::min(text_.find('\n', at_), text_.size());
        std::string line = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end;
        char* rest;
        long number = strtol(line.c_str(), &rest, 10);
        size_t open = line.find('"'), close = line.rfind('"');
        if (rest == line.c_str() || open == std::string::npos || close == open)
            return;
        line_ = static_cast<int>(number) - 1; // the newline behind the marker counts
        source_.files.push_back(line.substr(open + 1, close - open - 1));
        file_ = static_cast<int>(source_.files.size()) - 1;
    }

    const std::string& text_;
    Source& source_;
    size_t at_ = 0;
    int file_ = 0, line_ = 1;
    bool at_line_start_ = true;
};

} // namespace

void tokenise(const std::string& text, Source& source)
{
    source.files = {"default_program"};
    Scanner(text, source).run();
}

} // namespace nvrtc
