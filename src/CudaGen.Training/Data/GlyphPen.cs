namespace CudaGen.Training;

/// <summary>
/// Draws one digit: bends the control points, flattens the curves, fits the result into the middle of the image and
/// sets every pixel by its distance to the nearest line. Arithmetic only, so the bytes are the same on every system.
/// </summary>
/// <param name="size">Height and width of the images; everything but the softness of an edge grows with it.</param>
internal sealed class GlyphPen(int size)
{
    private const int Steps = 4; // lines for each span between two points of a curve
    private const float Box = 20; // MNIST's digits fit into 20x20 of 28x28
    private const float Edge = 1.3f; // pixels from full ink to none
    private const float Far = 1e9f;

    private readonly float[] _x = new float[256], _y = new float[256];
    private readonly bool[] _lifted = new bool[256]; // the pen does not draw on its way to this point
    private readonly float[] _squares = new float[size * size]; // squared distances
    private readonly float[] _bentX = new float[32], _bentY = new float[32];
    private readonly float _unit = size / 28f; // a pixel of MNIST
    private int _count;

    /// <summary>Draws one of the variants of a digit into <paramref name="image"/>, (size, size), which is black.</summary>
    public void Draw(Stroke[][] variants, ref Draws draws, Span<byte> image)
    {
        _count = 0;
        float wobble = draws.Between(1, 3.6f);
        foreach (Stroke stroke in variants[(int)(draws.Unit() * variants.Length)])
            Flatten(stroke, wobble, ref draws);
        float radius = _unit * draws.Between(0.8f, 1.65f);
        Transform(radius, ref draws);
        Measure(radius + Edge / 2);
        Fill(radius, ref draws, image);
    }

    // Moves the control points a little and appends the lines of the stroke.
    private void Flatten(Stroke stroke, float wobble, ref Draws draws)
    {
        int n = stroke.X.Length;
        for (int i = 0; i < n; i++)
            (_bentX[i], _bentY[i]) = (stroke.X[i] + wobble * draws.Bell(), stroke.Y[i] + wobble * draws.Bell());
        Append(_bentX[0], _bentY[0], lifted: true);
        for (int i = 0; i < (stroke.Closed ? n : n - 1); i++)
        {
            int next = (i + 1) % n;
            if (!stroke.Smooth)
            {
                Append(_bentX[next], _bentY[next], lifted: false);
                continue;
            }
            int before = stroke.Closed ? (i + n - 1) % n : Math.Max(i - 1, 0);
            int after = stroke.Closed ? (i + 2) % n : Math.Min(i + 2, n - 1);
            for (int s = 1; s <= Steps; s++)
            {
                float t = s / (float)Steps;
                Append(Curve(_bentX[before], _bentX[i], _bentX[next], _bentX[after], t),
                    Curve(_bentY[before], _bentY[i], _bentY[next], _bentY[after], t), lifted: false);
            }
        }
    }

    // Catmull-Rom: passes through b at t = 0 and c at t = 1.
    private static float Curve(float a, float b, float c, float d, float t) =>
        b + 0.5f * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));

    private void Append(float x, float y, bool lifted)
    {
        (_x[_count], _y[_count], _lifted[_count]) = (x, y, lifted);
        _count++;
    }

    // Width, slant, rotation; then the size of the box and, like MNIST, the centre of mass in the middle.
    private void Transform(float radius, ref Draws draws)
    {
        float stretch = draws.Between(0.95f, 1.6f), slant = 0.12f + 0.18f * draws.Bell();
        // Sine and cosine by the tangent of half the angle.
        float tangent = 0.045f * draws.Bell(), scale = 1 / (1 + tangent * tangent);
        float cos = (1 - tangent * tangent) * scale, sin = 2 * tangent * scale;
        float left = Far, right = -Far, top = Far, bottom = -Far;
        for (int i = 0; i < _count; i++)
        {
            float x = stretch * (_x[i] - 30) - slant * (_y[i] - 50), y = _y[i] - 50;
            (_x[i], _y[i]) = (cos * x - sin * y, sin * x + cos * y);
            (left, right) = (Math.Min(left, _x[i]), Math.Max(right, _x[i]));
            (top, bottom) = (Math.Min(top, _y[i]), Math.Max(bottom, _y[i]));
        }

        float zoom = (_unit * Box - 2 * radius) / Math.Max(right - left, bottom - top) * draws.Between(0.86f, 1.04f);
        (float massX, float massY) = CentreOfMass();
        float shiftX = Place(massX, left, right, zoom, _unit * draws.Between(-1, 1));
        float shiftY = Place(massY, top, bottom, zoom, _unit * draws.Between(-1, 1));
        for (int i = 0; i < _count; i++)
            (_x[i], _y[i]) = (zoom * _x[i] + shiftX, zoom * _y[i] + shiftY);
    }

    private (float X, float Y) CentreOfMass()
    {
        float x = 0, y = 0, mass = 0;
        for (int i = 1; i < _count; i++)
        {
            if (_lifted[i])
                continue;
            float dx = _x[i] - _x[i - 1], dy = _y[i] - _y[i - 1], length = MathF.Sqrt(dx * dx + dy * dy);
            x += length * (_x[i] + _x[i - 1]) / 2;
            y += length * (_y[i] + _y[i - 1]) / 2;
            mass += length;
        }
        return (x / mass, y / mass);
    }

    // The shift that brings the mass to the middle, but keeps the ends inside the image.
    private float Place(float mass, float low, float high, float zoom, float jitter)
    {
        float margin = 3 * _unit, shift = size / 2f + jitter - zoom * mass;
        return Math.Clamp(shift, margin - zoom * low, Math.Max(margin - zoom * low, size - margin - zoom * high));
    }

    // Squared distances from pixel centres to the nearest line, where they are below reach.
    private void Measure(float reach)
    {
        Array.Fill(_squares, Far);
        for (int i = 1; i < _count; i++)
        {
            if (_lifted[i])
                continue;
            float ax = _x[i - 1], ay = _y[i - 1], dx = _x[i] - ax, dy = _y[i] - ay;
            float inverse = 1 / Math.Max(dx * dx + dy * dy, 1e-12f);
            (int x0, int x1) = Pixels(ax, _x[i], reach);
            (int y0, int y1) = Pixels(ay, _y[i], reach);
            for (int y = y0; y <= y1; y++)
            {
                for (int x = x0; x <= x1; x++)
                {
                    float px = x + 0.5f - ax, py = y + 0.5f - ay;
                    float t = Math.Clamp((px * dx + py * dy) * inverse, 0, 1);
                    (px, py) = (px - t * dx, py - t * dy);
                    int at = y * size + x;
                    _squares[at] = Math.Min(_squares[at], px * px + py * py);
                }
            }
        }
    }

    // The first and last pixel within reach of a line from a to b, inside the image.
    private (int First, int Last) Pixels(float a, float b, float reach) =>
        (Math.Max(0, (int)(Math.Min(a, b) - reach)), Math.Min(size - 1, (int)(Math.Max(a, b) + reach)));

    // A soft edge, then a little noise on what is lit; black stays black.
    private void Fill(float radius, ref Draws draws, Span<byte> image)
    {
        float ink = draws.Between(235, 275);
        float limit = (radius + Edge / 2) * (radius + Edge / 2);
        for (int i = 0; i < image.Length; i++)
        {
            if (_squares[i] >= limit)
                continue;
            float light = Math.Min(1, (radius - MathF.Sqrt(_squares[i])) / Edge + 0.5f);
            image[i] = (byte)Math.Clamp(light * ink * draws.Between(0.93f, 1.03f), 0, 255);
        }
    }
}
