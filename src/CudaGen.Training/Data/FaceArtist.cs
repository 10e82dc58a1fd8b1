using System.Numerics;

namespace CudaGen.Training;

/// <summary>
/// Draws one face from the back to the front. Its own coordinates have the bridge of the nose near (0, 0), y down, and
/// the sides of the head about 0.9 away.
/// </summary>
internal sealed class FaceArtist
{
    private enum Back
    {
        None,
        Bob,
        Long,
        Cloud,
        Tails,
        Bun,
    }

    private enum Front
    {
        Bald,
        Short,
        Parted,
        Fringe,
        Curtains,
        Spikes,
        Curls,
        Crest,
    }

    private static readonly Vector3[] Skins =
        [.. new[] { 0xFFE3D0, 0xF6CDAA, 0xE3AC7E, 0xBF8356, 0x8E5A38, 0x5C3A26 }.Select(Colour.Hex)];

    private static readonly Vector3[] Hairs =
        [.. new[] { 0x1E1A1C, 0x3A2618, 0x5E3A20, 0x8A4A22, 0xB5552B, 0xC99A4E, 0xE8CB84, 0xA9A6A4, 0xDDDAD6 }.Select(Colour.Hex)];

    private static readonly Vector3[] Irises =
        [.. new[] { 0x4A2E1A, 0x6B4423, 0x7C7A35, 0x3F7D4E, 0x3F77B5, 0x6C8BA3 }.Select(Colour.Hex)];

    private static readonly Vector3 Dark = Colour.Hex(0x241A1C), White = Colour.Hex(0xFAF8F5);

    private readonly ShapeCanvas _canvas;
    private readonly Oval _head;
    private readonly Vector3 _skin, _shadow, _hair;
    private readonly Back _back;
    private readonly Front _front;
    private readonly bool _hat;
    private readonly bool _lashes; // and lipstick, and no beard
    private readonly float _eyeX, _eyeY, _eyeWidth, _eyeHeight, _mouthY;
    private Draws _draws;

    public FaceArtist(ShapeCanvas canvas, Draws draws)
    {
        _canvas = canvas;
        _draws = draws;
        _head = new Oval(0, 0, Between(0.8f, 0.98f), Between(1, 1.15f), Between(1.02f, 1.28f), Between(0, 0.4f), Between(-0.7f, 0.6f));

        float tone = _draws.Unit() * (Skins.Length - 1.001f);
        _skin = Colour.Mix(Skins[(int)tone], Skins[(int)tone + 1], tone - (int)tone) * Between(0.95f, 1.03f);
        _shadow = _skin * new Vector3(0.68f, 0.6f, 0.58f);
        _hair = _draws.Chance(0.1f)
            ? Colour.Of(_draws.Unit(), Between(0.5f, 0.9f), Between(0.3f, 0.6f))
            : Hairs[_draws.Below(Hairs.Length)] * Between(0.85f, 1.15f);

        _back = _draws.Chance(0.4f) ? Back.None : (Back)_draws.Below(6);
        _front = (Front)_draws.Below(8);
        if (_back != Back.None) // then only the cuts that go with it
            _front = (Front)((int)Front.Short + (int)_front % 4);
        _hat = _draws.Chance(0.14f);
        _lashes = _back is Back.Bob or Back.Long or Back.Tails or Back.Bun && _draws.Chance(0.8f);

        _eyeX = Between(0.36f, 0.44f);
        _eyeY = Between(-0.12f, 0.04f);
        _eyeWidth = Between(0.18f, 0.26f);
        _eyeHeight = Between(0.14f, 0.25f);
        _mouthY = _head.Down * Between(0.54f, 0.62f);
    }

    public void Draw()
    {
        Ground();
        _canvas.Place(Between(-0.05f, 0.05f), Between(0.06f, 0.14f), Between(0.59f, 0.67f), 0.03f * _draws.Bell());
        _canvas.Light(Between(-0.12f, 0.12f), Between(-0.12f, 0));
        HairBehind();
        Body();
        Head();
        Beard();
        Mouth();
        Nose();
        Eyes();
        HairInFront();
        Brows();
        if (_draws.Chance(0.22f))
            Glasses();
        if (_hat)
            Hat();
    }

    private float Between(float low, float high) => _draws.Between(low, high);

    // Two related colours, neither close to the skin's.
    private void Ground()
    {
        Vector3 a, b;
        do
        {
            float hue = _draws.Unit(), chroma = Between(0.1f, 0.7f), luma = Between(0.2f, 0.85f);
            (a, b) = (Colour.Of(hue, chroma, luma), Colour.Of(hue + 0.04f * _draws.Bell(), chroma, luma + Between(-0.12f, 0.12f)));
        }
        while (Far(a, _skin) < 0.5f || Far(b, _skin) < 0.5f);
        _canvas.Fill(a, b, Between(-0.8f, 0.8f), Between(-1, 1));
    }

    private static float Far(Vector3 a, Vector3 b)
    {
        Vector3 d = Vector3.Abs(a - b);
        return d.X + d.Y + d.Z;
    }

    private void HairBehind()
    {
        float width = _head.HalfWidth, top = _head.Up;
        Vector3 colour = _hair * 0.78f;
        switch (_back)
        {
            case Back.Bob:
                _canvas.Paint(new Oval(0, 0, width + Between(0.14f, 0.3f), top + 0.1f, Between(0.75f, 1.05f), 0.1f, 0.75f), colour);
                break;
            case Back.Long:
                _canvas.Paint(new Oval(0, 0, width + Between(0.14f, 0.34f), top + 0.1f, 2.4f, 0.1f, 0.85f), colour);
                break;
            case Back.Cloud:
                _canvas.Paint(new Oval(0, -0.2f, width + Between(0.25f, 0.42f), top + Between(0.05f, 0.25f), Between(0.8f, 1.1f)), colour);
                break;
            case Back.Tails:
                float x = width + Between(0.25f, 0.4f), y = Between(0, 0.5f), length = Between(0.4f, 0.7f);
                for (int side = -1; side <= 1; side += 2)
                    _canvas.Paint(new Oval(side * x, y, Between(0.26f, 0.34f), length), colour);
                break;
            case Back.Bun:
                _canvas.Paint(new Oval(Between(-0.3f, 0.3f), -top - 0.15f, Between(0.3f, 0.42f), Between(0.28f, 0.38f)), colour);
                break;
        }
    }

    private void Body()
    {
        Vector3 cloth = Colour.Of(_draws.Unit(), Between(0.2f, 0.9f), Between(0.2f, 0.8f));
        float neck = Between(0.34f, 0.5f), shoulders = Between(1.25f, 1.6f), y = _head.Down + Between(0.12f, 0.24f);
        _canvas.Paint(new Oval(0, y + 0.6f, shoulders, 0.6f, 1.5f, 0.4f), cloth);
        _canvas.Paint(new Oval(0, y - 0.1f, neck, 0.7f, Between(0.2f, 0.5f), 0.7f), _shadow * 1.12f);
    }

    private void Head()
    {
        float ears = Between(0.16f, 0.22f), y = Between(0, 0.12f);
        for (int side = -1; side <= 1; side += 2)
        {
            var ear = new Oval(side * (_head.HalfWidth + 0.03f), y, 0.17f, ears);
            _canvas.Paint(ear.Grow(0.04f), _shadow);
            _canvas.Paint(ear, _skin * 0.94f);
        }
        _canvas.Paint(_head.Grow(0.045f), _shadow);
        _canvas.Paint(_head, _skin);
        if (_draws.Chance(0.4f))
        {
            float x = Between(0.46f, 0.54f), flush = Between(0.15f, 0.4f);
            for (int side = -1; side <= 1; side += 2)
                _canvas.Paint(new Oval(side * x, 0.36f, 0.2f, 0.14f), _skin * new Vector3(1, 0.62f, 0.6f), flush);
        }
    }

    private void Beard()
    {
        if (_lashes || !_draws.Chance(0.34f))
            return;
        Vector3 colour = _hair * 0.9f;
        int kind = _draws.Below(4);
        if (kind == 0)
            _canvas.Paint(new Both<Oval, Not<Above>>(_head.Grow(0.08f), new(new Above(_mouthY - 0.18f, 0, 0, -0.55f))), colour);
        else if (kind == 1)
            _canvas.Paint(new Both<Oval, Not<Above>>(_head, new(new Above(_mouthY - 0.2f, 0, 0, -0.5f))), colour, Between(0.25f, 0.45f));
        else if (kind == 2)
        {
            var tuft = new Oval(0, _head.Down - 0.12f, Between(0.22f, 0.34f), Between(0.18f, 0.24f), 0.4f, 0.5f);
            _canvas.Paint(new Both<Oval, Oval>(tuft, _head.Grow(Between(0.08f, 0.16f))), colour);
        }
        if (kind is 2 or 3)
        {
            float width = Between(0.16f, 0.24f), droop = Between(-0.1f, 0.02f);
            for (int side = -1; side <= 1; side += 2)
                _canvas.Paint(new Lens(side * width, _mouthY - 0.16f, width, droop - 0.06f, droop + 0.02f, 0.045f, side * Between(0, 0.2f)), colour);
        }
    }

    private void Mouth()
    {
        Vector3 lips = Colour.Mix(_shadow, _lashes ? Colour.Hex(0xC0283C) : Colour.Hex(0x8A3A34), _lashes ? Between(0.4f, 0.9f) : 0.5f);
        float width = Between(0.22f, 0.4f), x = Between(-0.03f, 0.03f), smile = Between(-0.14f, 0.22f);
        if (!_draws.Chance(0.4f))
        {
            var mouth = new Lens(x, _mouthY - smile / 2, width, smile, smile, _lashes ? 0.06f : Between(0.04f, 0.055f), Between(-0.06f, 0.06f));
            _canvas.Paint(mouth, lips * 0.85f);
            return;
        }
        // Open: a smile, or round with surprise.
        bool round = _draws.Chance(0.3f);
        float upper = round ? -Between(0.1f, 0.16f) : Between(-0.02f, 0.06f), lower = round ? Between(0.12f, 0.2f) : Between(0.2f, 0.36f);
        if (round)
            width = Between(0.13f, 0.2f);
        var open = new Lens(x, _mouthY - (upper + lower) / 2, width, upper, lower, 0.02f);
        _canvas.Paint(open with { Radius = 0.065f }, lips);
        _canvas.Paint(open, Colour.Hex(0x4A1418));
        _canvas.Paint(new Both<Lens, Oval>(open, new Oval(x, open.Y + lower + 0.05f, width * 0.6f, 0.16f)), Colour.Hex(0xD0606A));
        if (!round)
            _canvas.Paint(new Both<Lens, Above>(open, new(open.Y + Between(0.06f, 0.1f))), White);
    }

    private void Nose()
    {
        float y = Between(0.24f, 0.34f), width = Between(0.09f, 0.17f);
        switch (_draws.Below(3))
        {
            case 0: // from below
                _canvas.Paint(new Lens(0, y, width, 0.1f, 0.1f, 0.03f), _shadow);
                break;
            case 1: // from the side
                float side = _draws.Chance(0.5f) ? -1 : 1;
                _canvas.Paint(new Bar(0, y - 0.24f, side * width, y + 0.04f, 0.028f), _shadow);
                _canvas.Paint(new Bar(side * width, y + 0.04f, -side * 0.02f, y + 0.08f, 0.028f), _shadow);
                break;
            default: // a ball
                _canvas.Paint(new Oval(0, y + 0.02f, width + 0.05f, width + 0.02f), _shadow);
                _canvas.Paint(new Oval(0, y - 0.01f, width + 0.02f, width - 0.01f), _skin * 1.04f);
                break;
        }
    }

    private void Eyes()
    {
        Vector3 iris = Irises[_draws.Below(Irises.Length)] * Between(0.85f, 1.2f);
        float lid = _draws.Chance(0.3f) ? Between(0.2f, 0.6f) : -1; // how far it is down
        float gazeX = Between(-0.3f, 0.3f) * _eyeWidth, gazeY = Between(-0.2f, 0.25f) * _eyeHeight;
        float radius = Math.Min(_eyeWidth, _eyeHeight) * Between(0.68f, 0.85f);
        for (int side = -1; side <= 1; side += 2)
        {
            float x = side * _eyeX;
            var eye = new Oval(x, _eyeY, _eyeWidth, _eyeHeight);
            _canvas.Paint(eye.Grow(0.035f) with { Y = _eyeY - (_lashes ? 0.04f : 0.015f) }, _lashes ? Dark : _shadow * 0.8f);
            if (_lashes)
                _canvas.Paint(new Bar(x + side * _eyeWidth * 0.8f, _eyeY - 0.08f, x + side * (_eyeWidth + 0.1f), _eyeY - 0.16f, 0.03f), Dark);
            _canvas.Paint(eye, White);
            PaintWithin(eye, new Oval(x + gazeX, _eyeY + gazeY, radius, radius), iris);
            PaintWithin(eye, new Oval(x + gazeX, _eyeY + gazeY, radius * 0.55f, radius * 0.55f), Dark);
            _canvas.Paint(new Oval(x + gazeX - radius * 0.3f, _eyeY + gazeY - radius * 0.35f, radius * 0.25f, radius * 0.25f), White);
            if (lid > 0)
            {
                float edge = _eyeY - _eyeHeight * (1 - lid);
                _canvas.Paint(new Both<Oval, Above>(eye.Grow(0.035f), new(edge + 0.05f)), _shadow * 0.8f);
                _canvas.Paint(new Both<Oval, Above>(eye.Grow(0.02f), new(edge)), _skin * 0.9f);
            }
        }
    }

    private void PaintWithin(Oval eye, Oval part, Vector3 colour) => _canvas.Paint(new Both<Oval, Oval>(part, eye), colour);

    private void Brows()
    {
        float y = _eyeY - _eyeHeight - Between(0.1f, 0.2f), width = _eyeWidth * Between(0.9f, 1.15f);
        float mood = Between(-0.3f, 0.3f), arch = -Between(0.02f, 0.1f), thick = _lashes ? 0.035f : Between(0.035f, 0.07f);
        Vector3 colour = Colour.Mix(_hair, Dark, 0.4f);
        for (int side = -1; side <= 1; side += 2)
            _canvas.Paint(new Lens(side * (_eyeX + 0.02f), y, width, arch - 0.02f, arch + 0.02f, thick, side * mood), colour);
    }

    private void HairInFront()
    {
        float width = _head.HalfWidth, top = _head.Up, thick = Between(0.06f, 0.14f);
        Oval cap = _head.Grow(thick);
        float line = Between(-0.72f, -0.56f);
        switch (_front)
        {
            case Front.Bald:
                // Some have hair left above the ears.
                if (_draws.Chance(0.5f))
                    PaintHair(cap, new Above(-0.95f, 0, 1.1f));
                return;
            case Front.Short:
                PaintHair(cap, new Above(line, 0, 0, Between(0.3f, 0.7f)));
                break;
            case Front.Parted:
                PaintHair(cap, new Above(line + 0.06f, Between(0.2f, 0.4f) * (_draws.Chance(0.5f) ? -1 : 1), 0, 0.3f));
                break;
            case Front.Fringe:
                PaintHair(cap, new Above(Between(-0.46f, -0.36f), 0, 0, Between(-0.1f, 0.35f)));
                break;
            case Front.Curtains:
                PaintHair(cap, new Above(-0.9f, 0, Between(0.7f, 1)));
                break;
            case Front.Spikes:
                PaintHair(cap, new Above(line, 0, 0, 0.5f));
                if (!_hat)
                    Spikes(cap);
                break;
            case Front.Curls:
                PaintHair(cap, new Above(line, 0, 0, 0.4f));
                Curls();
                break;
            case Front.Crest:
                PaintHair(cap, new Above(line - 0.06f, 0, 0, 0.4f), 0.35f);
                if (!_hat)
                    _canvas.Paint(new Oval(0, -top + 0.2f, Between(0.18f, 0.3f), Between(0.5f, 0.65f), 0.35f, 0.3f), _hair);
                break;
        }
        // Hair that hangs before the ears and shoulders.
        if (_back is Back.Long or Back.Bob)
        {
            float end = _back == Back.Long ? 1.5f : 0.6f;
            for (int side = -1; side <= 1; side += 2)
                _canvas.Paint(new Oval(side * (width + 0.04f), -0.3f, 0.19f, 0.6f, end + 0.3f, 0.3f, 0.5f), _hair);
        }
    }

    private void PaintHair(Oval cap, Above line, float alpha = 1)
    {
        _canvas.Paint(new Both<Oval, Above>(cap, line), _hair, alpha);
        if (alpha == 1 && _draws.Chance(0.6f))
        {
            var sheen = new Lens(-0.2f, -_head.Up * 0.78f, 0.45f, -0.12f, -0.1f, 0.035f);
            _canvas.Paint(new Both<Lens, Above>(sheen, line), _hair * 1.3f + new Vector3(0.06f));
        }
    }

    private void Spikes(Oval cap)
    {
        int count = 5 + _draws.Below(4);
        float length = Between(0.25f, 0.45f);
        for (int i = 0; i < count; i++)
        {
            // Along the upper half of the outline, by the chord.
            float u = (2 * i + 1f) / count - 1, x = u * cap.HalfWidth * 0.92f, y = -cap.Up * MathF.Sqrt(1 - 0.8f * u * u);
            float half = 1.1f * cap.HalfWidth / count, tip = x * 1.25f + Between(-0.08f, 0.08f);
            _canvas.Paint(new Spike(x - half, y + 0.2f, x + half, y + 0.2f, tip, y - length * (1 - 0.5f * u * u)), _hair);
        }
    }

    private void Curls()
    {
        int count = 7 + _draws.Below(3);
        for (int i = 0; i < count; i++)
        {
            float u = 2f * i / (count - 1) - 1, radius = Between(0.2f, 0.28f);
            float x = u * (_head.HalfWidth + 0.02f), y = 0.1f - (_head.Up + 0.08f) * MathF.Sqrt(1 - 0.75f * u * u);
            _canvas.Paint(new Oval(x, y, radius, radius), _hair * Between(0.85f, 1.12f));
        }
    }

    private void Glasses()
    {
        bool sun = _draws.Chance(0.2f);
        Vector3 frame = _draws.Chance(0.6f) ? Dark : Colour.Of(_draws.Unit(), 0.7f, Between(0.25f, 0.5f));
        float width = _eyeX - 0.07f, height = Between(0.24f, 0.34f), square = Between(0, 0.75f), thick = Between(0.025f, 0.045f), y = _eyeY + 0.02f;
        for (int side = -1; side <= 1; side += 2)
        {
            var glass = new Oval(side * (_eyeX + 0.03f), y, width, height, height, square, square);
            _canvas.Paint(glass, sun ? Dark : White, sun ? 0.88f : 0.15f);
            _canvas.Paint(new Both<Oval, Not<Oval>>(glass.Grow(thick), new(glass.Grow(-thick))), frame);
            _canvas.Paint(new Bar(side * (_eyeX + 0.03f + width), y - 0.05f, side * _head.HalfWidth, y - 0.07f, thick), frame);
        }
        _canvas.Paint(new Lens(0, y, 0.12f, -0.06f, -0.06f, thick), frame);
    }

    private void Hat()
    {
        Vector3 cloth = Colour.Of(_draws.Unit(), Between(0.3f, 1), Between(0.2f, 0.75f)), band = cloth * Between(0.55f, 0.8f);
        float width = _head.HalfWidth + 0.14f, edge = Between(-0.56f, -0.46f), top = _head.Up + 0.05f;
        switch (_draws.Below(3))
        {
            case 0: // a woollen hat
                _canvas.Paint(new Oval(0, edge, width, top + edge + 0.16f, 0.1f), cloth);
                _canvas.Paint(new Oval(0, edge, width + 0.04f, 0.17f, 0.15f, 0.8f, 0.8f), band);
                if (_draws.Chance(0.5f))
                    _canvas.Paint(new Oval(0, -top - 0.2f, 0.2f, 0.2f), band);
                break;
            case 1: // a cap, its peak to the left or right
                float side = _draws.Chance(0.5f) ? -0.3f : 0.3f;
                _canvas.Paint(new Oval(0, edge, width, top + edge + 0.1f, 0.08f, 0.2f), cloth);
                _canvas.Paint(new Lens(side, edge + 0.04f, width + 0.05f, -0.16f, 0.02f, 0.05f), band);
                break;
            default: // a wide brim
                _canvas.Paint(new Oval(0, edge - 0.1f, width * 0.86f, top + edge + 0.22f, 0.1f, 0.7f), cloth);
                _canvas.Paint(new Oval(0, edge - 0.08f, width * 0.86f, 0.16f, 0.1f, 0.8f), band);
                _canvas.Paint(new Oval(0, edge + 0.02f, width + Between(0.3f, 0.5f), 0.12f, 0.12f), cloth * 0.92f);
                break;
        }
    }
}
