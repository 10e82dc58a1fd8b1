using System.Numerics;

namespace CudaGen.Training;

/// <summary>Colours as (red, green, blue), each 0 to 1. Arithmetic only, as everything that draws.</summary>
internal static class Colour
{
    /// <summary>Perceived brightness, 0 to 1, by the weights of ITU-R BT.601.</summary>
    public static float Luma(Vector3 colour) => 0.299f * colour.X + 0.587f * colour.Y + 0.114f * colour.Z;

    /// <summary>The colour of 0xRRGGBB.</summary>
    public static Vector3 Hex(int rgb) => new Vector3(rgb >> 16, (rgb >> 8) & 255, rgb & 255) / 255;

    /// <summary>a at t = 0, b at t = 1. (Vector3.Lerp may fuse its operations, and so round differently elsewhere.)</summary>
    public static Vector3 Mix(Vector3 a, Vector3 b, float t) => a + (b - a) * t;

    /// <summary>
    /// The colour that has exactly this luma. Hue goes round the colour wheel once from red at 0 to red at 1; chroma is 0
    /// for grey and 1 for as colourful as the luma allows.
    /// </summary>
    public static Vector3 Of(float hue, float chroma, float luma)
    {
        float h = 6 * (hue - MathF.Floor(hue));
        Vector3 pure = Vector3.Clamp(
            new(Math.Abs(h - 3) - 1, 2 - Math.Abs(h - 2), 2 - Math.Abs(h - 4)), Vector3.Zero, Vector3.One);
        Vector3 away = pure - new Vector3(Luma(pure)); // has luma 0
        float reach = Math.Min(Reach(away.X, luma), Math.Min(Reach(away.Y, luma), Reach(away.Z, luma)));
        return new Vector3(luma) + away * (chroma * reach);
    }

    // How often a step fits between luma and the end of [0, 1] that it leads to.
    private static float Reach(float step, float luma) => (step > 0 ? 1 - luma : luma) / Math.Max(Math.Abs(step), 1e-6f);

    /// <summary>Writes three bytes, values beyond 0 and 1 cut off.</summary>
    public static void Store(Vector3 colour, Span<byte> bytes)
    {
        Vector3 scaled = Vector3.Clamp(colour * 255 + new Vector3(0.5f), Vector3.Zero, new Vector3(255));
        (bytes[0], bytes[1], bytes[2]) = ((byte)scaled.X, (byte)scaled.Y, (byte)scaled.Z);
    }
}
