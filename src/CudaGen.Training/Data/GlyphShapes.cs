namespace CudaGen.Training;

/// <summary>One stroke of a pen: control points, joined by straight lines or by a smooth curve through them.</summary>
internal sealed record Stroke(float[] X, float[] Y, bool Smooth, bool Closed);

/// <summary>
/// How the ten digits are written, in a box about 60 wide and 100 high with y down. A stroke is a letter and points
/// "x y": L for straight lines, C for a curve, O for a closed curve; a bar starts the next stroke.
/// </summary>
internal static class GlyphShapes
{
    /// <summary>Several ways of writing each digit.</summary>
    public static readonly Stroke[][][] Digits =
    [
        Parse(
            "O 30 0 9 14 2 50 9 86 30 100 51 86 58 50 51 14",
            "C 36 1 16 8 3 42 8 84 28 100 50 86 57 46 46 10 24 4",
            "O 34 0 12 16 4 54 12 88 28 100 46 86 54 46 50 12"),
        Parse(
            "L 30 0 30 100",
            "L 30 0 29 50 31 100",
            "L 12 22 32 0 32 100",
            "L 14 20 30 0 30 100|L 8 100 54 100"),
        Parse(
            "C 4 24 14 4 34 0 52 14 48 40 28 68 4 98|L 4 98 58 97",
            "C 6 20 24 0 48 8 48 36 26 72 8 95 5 80 22 77 38 92 60 93",
            "C 8 16 28 0 50 14 44 44 8 94|C 8 94 32 88 58 98"),
        Parse(
            "C 6 12 26 0 48 10 46 34 22 46|C 22 46 50 54 56 78 34 100 4 88",
            "L 6 3 50 2 24 42|C 24 42 50 50 55 78 32 100 4 90",
            "C 8 8 30 0 50 16 36 42 26 46 44 52 54 74 36 98 4 92"),
        Parse(
            "L 42 100 42 0 2 68 60 68",
            "C 8 2 5 28 9 50 30 53 54 46|L 52 4 48 100",
            "L 18 0 4 56 58 54|L 46 22 40 100"),
        Parse(
            "L 54 2 14 3 10 44|C 10 44 36 35 56 56 48 88 26 100 4 90",
            "C 18 4 13 24 12 44 38 38 54 60 46 90 24 100 4 92|L 18 4 56 2",
            "L 52 0 18 4 12 40|C 12 40 46 46 52 70 34 96 2 98"),
        Parse(
            "C 44 0 20 24 6 58 12 90 32 100 52 84 50 60 30 52 10 70",
            "C 34 0 14 34 4 72 18 98 42 94 50 72 36 58 16 66 7 80",
            "C 50 4 24 12 6 48 6 84 28 100 52 86 48 62 26 56 8 74"),
        Parse(
            "L 4 3 56 2 22 100",
            "L 4 3 56 2 24 100|L 14 52 50 50",
            "L 3 16 5 3 54 3|C 54 3 40 36 28 66 24 100"),
        Parse(
            "O 30 0 11 9 11 31 30 46 51 64 52 88 30 100 8 88 9 64 30 46 49 31 49 9",
            "C 50 12 30 0 10 16 20 38 42 58 50 82 28 100 6 82 16 60 40 40 52 20 44 4",
            "O 28 0 12 12 16 34 36 52 54 74 40 98 16 98 4 78 22 54 44 32 46 10"),
        Parse(
            "C 50 20 30 0 8 14 10 42 34 46 52 18|C 52 18 51 50 46 78 40 100",
            "C 50 16 28 0 6 22 14 46 38 42 52 14|C 52 14 56 56 42 94 12 96",
            "O 30 2 10 12 10 38 30 48 50 34 49 10|L 51 16 48 100"),
    ];

    private static Stroke[][] Parse(params string[] variants) =>
        [.. variants.Select(v => v.Split('|').Select(ParseStroke).ToArray())];

    private static Stroke ParseStroke(string text)
    {
        string[] words = text.Split(' ');
        int points = (words.Length - 1) / 2;
        var stroke = new Stroke(new float[points], new float[points], words[0] != "L", words[0] == "O");
        for (int i = 0; i < points; i++)
            (stroke.X[i], stroke.Y[i]) = (int.Parse(words[1 + 2 * i]), int.Parse(words[2 + 2 * i]));
        return stroke;
    }
}
