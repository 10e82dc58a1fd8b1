namespace CudaGen.Training;

/// <summary>A white RGB picture with the few things that a scatter plot draws.</summary>
internal sealed class Canvas
{
    private const int LetterWidth = 5, LetterHeight = 7;

    // 5x7 letters, one string per row of pixels, the letters side by side and six columns apart.
    private const string Letters = "0123456789-.ekM+adglnrt";

    private static readonly string[] Font =
    [
        " ###    #    ###  #####    #  #####   ##  #####  ###   ###                    #    #   #                  #        ##                #   ",
        "#   #  ##   #   #    #    ##  #      #        # #   # #   #                   #    ## ##   #              #         #                #   ",
        "#  ##   #       #   #    # #  ####  #        #  #   # #   #              ###  #  # # # #   #     ###   ####  ####   #   # ##  # ##  #### ",
        "# # #   #      #     #  #  #      # ####    #    ###   #### #####       #   # # #  # # # #####      # #   # #   #   #   ##  # ##  #  #   ",
        "##  #   #     #       # #####     # #   #  #    #   #     #             ##### ##   #   #   #     #### #   #  ####   #   #   # #      #   ",
        "#   #   #    #    #   #    #  #   # #   #  #    #   #    #         ##   #     # #  #   #   #    #   # #   #     #   #   #   # #      #  #",
        " ###   ###  #####  ###     #   ###   ###   #     ###   ##          ##    ###  #  # #   #         ####  ####  ###   ###  #   # #       ## ",
    ];

    private readonly byte[] _pixels;

    public Canvas(int width, int height)
    {
        (Width, Height, _pixels) = (width, height, new byte[width * height * 3]);
        Array.Fill(_pixels, (byte)255);
    }

    public int Width { get; }

    public int Height { get; }

    public Picture ToPicture() => new(Width, Height, 3, _pixels);

    /// <summary>Mixes a colour, 0xRRGGBB, into a pixel; outside of the picture nothing happens.</summary>
    public void Blend(int x, int y, int colour, float alpha)
    {
        if ((uint)x >= (uint)Width || (uint)y >= (uint)Height)
            return;
        Span<byte> pixel = _pixels.AsSpan((y * Width + x) * 3, 3);
        for (int c = 0; c < 3; c++)
        {
            int target = (colour >> (16 - 8 * c)) & 255;
            pixel[c] = (byte)(pixel[c] + (target - pixel[c]) * alpha + 0.5f);
        }
    }

    public void Fill(int x, int y, int width, int height, int colour)
    {
        for (int j = y; j < y + height; j++)
        {
            for (int i = x; i < x + width; i++)
                Blend(i, j, colour, 1);
        }
    }

    /// <summary>A disc with a soft edge; (x, y) counts from the corner of the first pixel.</summary>
    public void Disc(double x, double y, double radius, int colour, float alpha)
    {
        for (int j = (int)Math.Floor(y - radius - 0.5); j <= y + radius + 0.5; j++)
        {
            for (int i = (int)Math.Floor(x - radius - 0.5); i <= x + radius + 0.5; i++)
            {
                double dx = i + 0.5 - x, dy = j + 0.5 - y, cover = radius + 0.5 - Math.Sqrt(dx * dx + dy * dy);
                if (cover > 0)
                    Blend(i, j, colour, (float)Math.Min(1, cover) * alpha);
            }
        }
    }

    /// <summary>Pixels that <see cref="Text"/> is wide.</summary>
    public static int TextWidth(string text, int scale) => ((LetterWidth + 1) * text.Length - 1) * scale;

    /// <summary>Pixels that <see cref="Text"/> is high.</summary>
    public static int TextHeight(int scale) => LetterHeight * scale;

    /// <summary>Writes a number or a word with its upper left corner at (x, y); letters that the font lacks stay blank.</summary>
    public void Text(int x, int y, string text, int colour, int scale)
    {
        foreach (char letter in text)
        {
            int column = Letters.IndexOf(letter, StringComparison.Ordinal) * (LetterWidth + 1);
            for (int j = 0; j < LetterHeight && column >= 0; j++)
            {
                for (int i = 0; i < LetterWidth; i++)
                {
                    if (Font[j][column + i] == '#')
                        Fill(x + i * scale, y + j * scale, scale, scale, colour);
                }
            }
            x += (LetterWidth + 1) * scale;
        }
    }
}
