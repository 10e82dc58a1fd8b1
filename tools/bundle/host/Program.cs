// Every program of the bundle is this one under another name: it runs the assembly of that name.

using System.Reflection;

// Tests report to nobody, and run without a home folder.
Environment.SetEnvironmentVariable("TESTINGPLATFORM_TELEMETRY_OPTOUT", "1");
Assembly program = Assembly.Load(Path.GetFileName(Environment.ProcessPath!));
Assembly.SetEntryAssembly(program);
return (int)program.EntryPoint!.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [args], null)!;
