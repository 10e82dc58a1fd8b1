namespace CudaGen.Runtime.Tests;

public sealed class PhiloxTests
{
    /// <summary>The vectors "philox4x32 10" in tests/kat_vectors of Random123 1.14.0: counter, key, result.</summary>
    public static TheoryData<uint[], uint[], uint[]> KnownAnswers => new()
    {
        { [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
        {
            [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff],
            [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]
        },
        {
            [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0],
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        },
    };

    [Theory, MemberData(nameof(KnownAnswers))]
    public void Block_gives_the_published_answers(uint[] counter, uint[] key, uint[] expected)
    {
        (uint a, uint b, uint c, uint d) = (counter[0], counter[1], counter[2], counter[3]);
        Philox.Block(ref a, ref b, ref c, ref d, key[0], key[1]);
        Assert.Equal(expected, new[] { a, b, c, d });
    }

    [Theory, MemberData(nameof(KnownAnswers))]
    public void Words_puts_every_part_of_the_address_where_the_documentation_says(uint[] counter, uint[] key, uint[] expected)
    {
        (uint x, uint y, uint z, uint w) = Philox.Words(seed: key[0] | (ulong)key[1] << 32, stream: counter[1],
            step: counter[2] | (ulong)counter[3] << 32, block: counter[0]);
        Assert.Equal(expected, new[] { x, y, z, w });
    }

    [Theory]
    [InlineData(0u, 0f)]
    [InlineData(255u, 0f)]
    [InlineData(256u, 1f / 16777216)]
    [InlineData(0x80000000u, 0.5f)]
    [InlineData(0xffffffffu, 1 - 1f / 16777216)]
    public void Unit_is_the_upper_24_bits(uint word, float expected) => Assert.Equal(expected, Philox.Unit(word));
}
