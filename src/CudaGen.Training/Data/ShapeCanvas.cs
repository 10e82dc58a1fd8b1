using System.Numerics;

namespace CudaGen.Training;

/// <summary>
/// A square colour image on which shapes are painted over one another, with edges one pixel soft. Shapes are given in
/// their own coordinates, which <see cref="Place"/> puts on the image.
/// </summary>
internal sealed class ShapeCanvas(int size)
{
    private readonly Vector3[] _pixels = new Vector3[size * size];
    private float _x, _y, _unit, _cos, _sin, _lightX, _lightY;

    /// <summary>
    /// Puts the origin of the shapes at (x, y) of the image, whose sides go from -1 to 1. A unit becomes
    /// <paramref name="zoom"/> halves of a side, and the tangent of half the angle turns everything clockwise.
    /// </summary>
    public void Place(float x, float y, float zoom, float tangent = 0)
    {
        (_x, _y, _unit) = ((x + 1) * size / 2, (y + 1) * size / 2, zoom * size / 2);
        float scale = 1 / (1 + tangent * tangent);
        (_cos, _sin) = ((1 - tangent * tangent) * scale, 2 * tangent * scale);
    }

    /// <summary>How much brighter, as a part of 1, what is painted becomes for each unit to the right and down.</summary>
    public void Light(float right, float down) => (_lightX, _lightY) = (right, down);

    /// <summary>Fills the image: a at one end of the direction, b at the other.</summary>
    public void Fill(Vector3 a, Vector3 b, float right, float down)
    {
        for (int i = 0; i < _pixels.Length; i++)
        {
            float x = (i % size + 0.5f) / size - 0.5f, y = (i / size + 0.5f) / size - 0.5f;
            _pixels[i] = Colour.Mix(a, b, Math.Clamp(0.5f + right * x + down * y, 0, 1));
        }
    }

    /// <summary>Paints a shape; alpha is 1 for a colour that hides what is below.</summary>
    public void Paint<T>(in T shape, Vector3 colour, float alpha = 1)
        where T : struct, IShape
    {
        Box box = shape.Box;
        float x = _x + _unit * (_cos * box.X - _sin * box.Y), y = _y + _unit * (_sin * box.X + _cos * box.Y);
        float halfWidth = 1 + _unit * (_cos * box.HalfWidth + Math.Abs(_sin) * box.HalfHeight);
        float halfHeight = 1 + _unit * (_cos * box.HalfHeight + Math.Abs(_sin) * box.HalfWidth);
        int left = Pixel(x - halfWidth), right = Pixel(x + halfWidth), top = Pixel(y - halfHeight), bottom = Pixel(y + halfHeight);
        float unit = _unit, stepX = _cos / unit, stepY = _sin / unit; // of the shape's coordinates for a pixel to the right
        float light = _lightX, lightDown = _lightY;
        for (int j = top; j < bottom; j++)
        {
            float row = j + 0.5f - _y, firstX = stepY * row - stepX * (_x - 0.5f), firstY = stepX * row + stepY * (_x - 0.5f);
            for (int i = left; i < right; i++)
            {
                float u = firstX + stepX * i, v = firstY - stepY * i;
                float cover = 0.5f - unit * shape.Distance(u, v);
                if (cover <= 0)
                    continue;
                ref Vector3 pixel = ref _pixels[j * size + i];
                pixel = Colour.Mix(pixel, colour * (1 + light * u + lightDown * v), alpha * Math.Min(cover, 1));
            }
        }
    }

    private int Pixel(float at) => (int)Math.Clamp(at, 0, size);

    /// <summary>Writes the image, (size, size, 3).</summary>
    public void Store(Span<byte> image)
    {
        for (int i = 0; i < _pixels.Length; i++)
            Colour.Store(_pixels[i], image.Slice(3 * i, 3));
    }
}
