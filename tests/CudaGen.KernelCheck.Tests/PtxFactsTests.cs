namespace CudaGen.KernelCheck.Tests;

public sealed class PtxFactsTests
{
    // Written by hand, with everything that is counted.
    private const string Module = """
        .version 7.0
        .target sm_80
        .address_size 64
        .extern .func  (.param .b32 func_retval0) __nv_expf
        (
        	.param .b32 __nv_expf_param_0
        )
        ;
        .extern .shared .align 4 .b8 dynamic[];
        .shared .align 4 .f32 mean;
        .shared .align 16 .b8 unused[4096];
        .visible .func  (.param .b32 func_retval0) helper(
        	.param .b32 helper_param_0
        )
        {
        	.local .align 8 .b8 	__local_depot0[24];
        	.reg .f32 	%f<3>;
        	ld.param.f32 	%f1, [helper_param_0];
        	bar.sync 	0;
        	st.param.f32 	[func_retval0+0], %f1;
        	ret;
        }
        .visible .entry plain(
        	.param .u64 plain_param_0,
        	.param .u32 plain_param_1,
        	.param .align 8 .b8 plain_param_2[12],
        	.param .f64 plain_param_3
        )
        .maxntid 16, 16, 1
        {
        	.reg .pred 	%p<3>;
        	.reg .b32 	%r<10>;
        	.reg .f32 	%f<9>;
        	.reg .b64 	%rd<4>;
        	.reg .f64 	%fd<4>;
        	.shared .align 4 .b8 tile[512];
        // %bb.0: a comment with ld.global.f32 in it
        	ld.param.u64 	%rd1, [plain_param_0];
        	cvta.to.global.u64 	%rd2, %rd1;
        	ld.global.nc.v4.f32 	{%f1, %f2, %f3, %f4}, [%rd2];
        	ld.global.v2.f32 	{%f5, %f6}, [%rd2+16];
        	ld.f32 	%f7, [%rd1+24];
        	ld.volatile.shared.f32 	%f8, [tile];
        	st.shared.f32 	[mean], %f8;
        	@%p1 st.global.f32 	[%rd2], %f1;
        	st.global.v4.f32 	[%rd2], {%f1, %f2, %f3, %f4};
        	bar.sync 	0;
        	bar.warp.sync 	-1;
        	shfl.sync.down.b32 	%r1|%p2, %r2, 16, 31, -1;
        	atom.global.add.f32 	%f1, [%rd2], %f2;
        	red.shared.add.u32 	[mean], 1;
        	div.rn.f32 	%f1, %f2, %f3;
        	rem.s32 	%r3, %r4, %r5;
        	cvt.f64.f32 	%fd1, %f1;
        	add.f64 	%fd2, %fd1, %fd1;
        	mov.f64 	%fd3, %fd2;
        	{ // callseq 0, 0
        	.reg .b32 temp_param_reg;
        	.param .b32 param0;
        	st.param.f32 	[param0+0], %f1;
        	.param .b32 retval0;
        	call.uni (retval0),
        	__nv_expf,
        	(
        	param0
        	);
        	ld.param.f32 	%f2, [retval0+0];
        	} // callseq 0
        	ret;
        }
        .visible .entry caller(
        	.param .u64 .ptr .align 1 caller_param_0
        )
        {
        	.reg .f32 	%f<3>;
        	mov.u64 	%rd1, dynamic;
        	call.uni (retval0), helper, (param0);
        	ret;
        }
        """;

    [Fact]
    public void Reads_what_a_kernel_uses()
    {
        PtxFacts facts = PtxFacts.Read(Module)[0];
        Assert.Equal("plain", facts.Kernel);
        Assert.Equal(512 + 4, facts.StaticShared);
        Assert.False(facts.DynamicShared);
        Assert.Equal(8 + 4 + 4 + 12 + 4 + 8, facts.ParameterBytes); // with the gaps before the struct and after it
        Assert.Equal(256, facts.MaxThreads);
        Assert.Equal(0, facts.LocalBytes);
        Assert.Equal(new AccessCount(Scalar: 1, Pairs: 1, Quads: 1), facts.Loads);
        Assert.Equal(new AccessCount(Scalar: 1, Pairs: 0, Quads: 1), facts.Stores);
        Assert.Equal(1, facts.Barriers);
        Assert.Equal(1, facts.Shuffles);
        Assert.Equal(2, facts.Atomics);
        Assert.Equal(2, facts.Divisions);
        Assert.Equal(2, facts.DoubleOperations);
        Assert.Equal(["__nv_expf"], facts.Calls);
    }

    [Fact]
    public void Counts_what_a_called_function_uses_too()
    {
        PtxFacts facts = PtxFacts.Read(Module)[1];
        Assert.Equal("caller", facts.Kernel);
        Assert.Equal(24, facts.LocalBytes);
        Assert.Equal(1, facts.Barriers);
        Assert.True(facts.DynamicShared);
        Assert.Equal(0, facts.StaticShared);
        Assert.Equal(8, facts.ParameterBytes);
        Assert.Null(facts.MaxThreads);
        Assert.Empty(facts.Calls);
    }

    private static int Registers(string body) => PtxFacts.Read($$"""
        .visible .entry k()
        {
        	.reg .pred 	%p<9>;
        	.reg .b32 	%r<99>;
        	.reg .b64 	%rd<99>;
        {{body}}
        	ret;
        }
        """)[0].LiveRegisters;

    [Fact]
    public void Registers_in_use_at_one_time_are_counted_by_width()
    {
        Assert.Equal(0, Registers(""));
        Assert.Equal(1, Registers("mov.b32 %r1, 0;\nmov.b32 %r2, 0;\n")); // neither is read: one after the other
        Assert.Equal(2, Registers("mov.b32 %r1, 0;\nmov.b32 %r2, 0;\nadd.s32 %r3, %r1, %r2;\n"));
        Assert.Equal(3, Registers("mov.b64 %rd1, 0;\nmov.b32 %r2, 0;\nst.global.u32 [%rd1], %r2;\n"));
        Assert.Equal(4, Registers("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];\n"));
        Assert.Equal(1, Registers("mov.b32 %r1, 0;\nsetp.eq.s32 %p1, %r1, 0;\n@%p1 bra Next;\nNext:\n"));
    }

    [Fact]
    public void A_value_that_a_loop_reads_stays_live_through_it()
    {
        const string Loop = "mov.b32 %r1, 7;\nmov.b32 %r2, 0;\nLoop:\nadd.s32 %r2, %r2, {0};\nsetp.lt.s32 %p1, %r2, 9;\n@%p1 bra Loop;\n";
        Assert.Equal(2, Registers(Loop.Replace("{0}", "%r1", StringComparison.Ordinal)));
        Assert.Equal(1, Registers(Loop.Replace("{0}", "1", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_conditional_write_keeps_the_old_value() =>
        Assert.Equal(3, Registers("mov.b32 %r1, 1;\nmov.b32 %r2, 1;\nmov.b32 %r3, 1;\n@%p1 mov.b32 %r1, %r2;\nadd.s32 %r4, %r1, %r3;\n"));
}
