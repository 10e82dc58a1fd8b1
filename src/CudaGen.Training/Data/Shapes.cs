namespace CudaGen.Training;

/// <summary>What lies around a shape: centre and half of the extents.</summary>
internal readonly record struct Box(float X, float Y, float HalfWidth, float HalfHeight)
{
    public static readonly Box Everywhere = new(0, 0, float.MaxValue, float.MaxValue);
}

/// <summary>
/// A shape in the plane, y down, as the signed distance to its border: negative inside. Close to the border it is
/// about the true distance, which is enough for soft edges.
/// </summary>
internal interface IShape
{
    Box Box { get; }

    float Distance(float x, float y);
}

/// <summary>
/// Ellipses and what is between them and rectangles: X^2 + Y^2 - k X^2 Y^2 = 1, where X and Y are distances from the
/// centre over half of the extents. k = 0 is an ellipse, 1 a rectangle, and below 0 it comes to a point (Fernandez
/// Guasti, "Analytic geometry of some rectilinear figures", 1992). The upper and the lower half have their own height
/// and k.
/// </summary>
internal readonly record struct Oval(float X, float Y, float HalfWidth, float Up, float Down, float SquareUp = 0, float SquareDown = 0) : IShape
{
    public Oval(float x, float y, float halfWidth, float halfHeight)
        : this(x, y, halfWidth, halfHeight, halfHeight)
    {
    }

    public Box Box => new(X, Y + (Down - Up) / 2, HalfWidth, (Up + Down) / 2);

    public Oval Grow(float by) => this with { HalfWidth = HalfWidth + by, Up = Up + by, Down = Down + by };

    // F / |grad F|.
    public float Distance(float x, float y)
    {
        float height = y < Y ? Up : Down, k = y < Y ? SquareUp : SquareDown;
        float u = (x - X) / HalfWidth, v = (y - Y) / height;
        float uu = Math.Min(u * u, 1), vv = Math.Min(v * v, 1);
        float du = u * (1 - k * vv) / HalfWidth, dv = v * (1 - k * uu) / height;
        return (u * u + v * v - k * uu * vv - 1) / (2 * MathF.Sqrt(du * du + dv * dv));
    }
}

/// <summary>
/// The area between two parabolas over X - HalfWidth to X + HalfWidth that meet at its ends, a radius wider all around:
/// a mouth, or with Upper = Lower a curved line. In the middle they lie at Y + Upper and Y + Lower; Slope tilts both.
/// </summary>
internal readonly record struct Lens(float X, float Y, float HalfWidth, float Upper, float Lower, float Radius, float Slope = 0) : IShape
{
    public Box Box => new(X, Y + (Math.Min(Upper, 0) + Math.Max(Lower, 0)) / 2, HalfWidth + Radius,
        (Math.Max(Lower, 0) - Math.Min(Upper, 0)) / 2 + Math.Abs(Slope) * HalfWidth + Radius);

    public float Distance(float x, float y)
    {
        float u = (x - X) / HalfWidth, rise = 1 - u * u, above = y - Y - Slope * (x - X);
        float over = Steep(Upper, u) * (Upper * rise - above), under = Steep(Lower, u) * (above - Lower * rise);
        return Math.Max(Math.Max(over, under), Math.Abs(x - X) - HalfWidth) - Radius;
    }

    // Turns a vertical distance to a parabola of this height into one across it.
    private float Steep(float height, float u)
    {
        float slope = Slope - 2 * height * u / HalfWidth;
        return 1 / MathF.Sqrt(1 + slope * slope);
    }
}

/// <summary>Everything within a radius of a straight line from (AX, AY) to (BX, BY).</summary>
internal readonly record struct Bar(float AX, float AY, float BX, float BY, float Radius) : IShape
{
    public Box Box => new((AX + BX) / 2, (AY + BY) / 2, Math.Abs(BX - AX) / 2 + Radius, Math.Abs(BY - AY) / 2 + Radius);

    public float Distance(float x, float y)
    {
        float dx = BX - AX, dy = BY - AY, t = ((x - AX) * dx + (y - AY) * dy) / Math.Max(dx * dx + dy * dy, 1e-12f);
        t = Math.Clamp(t, 0, 1);
        (dx, dy) = (x - AX - t * dx, y - AY - t * dy);
        return MathF.Sqrt(dx * dx + dy * dy) - Radius;
    }
}

/// <summary>A triangle on the base from (AX, AY) to (BX, BY) with its tip at (TipX, TipY), either way round.</summary>
internal readonly record struct Spike(float AX, float AY, float BX, float BY, float TipX, float TipY) : IShape
{
    public Box Box
    {
        get
        {
            float left = Math.Min(TipX, Math.Min(AX, BX)), right = Math.Max(TipX, Math.Max(AX, BX));
            float top = Math.Min(TipY, Math.Min(AY, BY)), bottom = Math.Max(TipY, Math.Max(AY, BY));
            return new((left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2);
        }
    }

    public float Distance(float x, float y)
    {
        float turn = (BX - AX) * (TipY - AY) - (BY - AY) * (TipX - AX) < 0 ? -1 : 1;
        return Math.Max(turn * Side(AX, AY, BX, BY, x, y),
            Math.Max(turn * Side(BX, BY, TipX, TipY, x, y), turn * Side(TipX, TipY, AX, AY, x, y)));
    }

    // The distance of (x, y) to the left of a line, as seen along it.
    private static float Side(float ax, float ay, float bx, float by, float x, float y)
    {
        float dx = bx - ax, dy = by - ay;
        return ((x - ax) * -dy + (y - ay) * dx) / -MathF.Sqrt(dx * dx + dy * dy);
    }
}

/// <summary>Everything above the line y = Y + Slope x + Fold |x| + Curve x^2.</summary>
internal readonly record struct Above(float Y, float Slope = 0, float Fold = 0, float Curve = 0) : IShape
{
    public Box Box => Box.Everywhere;

    public float Distance(float x, float y)
    {
        float slope = Slope + (x < 0 ? -Fold : Fold) + 2 * Curve * x;
        return (y - Y - Slope * x - Fold * Math.Abs(x) - Curve * x * x) / MathF.Sqrt(1 + slope * slope);
    }
}

/// <summary>The outside of a shape.</summary>
internal readonly record struct Not<T>(T Shape) : IShape
    where T : struct, IShape
{
    public Box Box => Box.Everywhere;

    public float Distance(float x, float y) => -Shape.Distance(x, y);
}

/// <summary>What is in both shapes; the first one bounds it.</summary>
internal readonly record struct Both<TA, TB>(TA A, TB B) : IShape
    where TA : struct, IShape
    where TB : struct, IShape
{
    public Box Box => A.Box;

    public float Distance(float x, float y) => Math.Max(A.Distance(x, y), B.Distance(x, y));
}
