// What saxpy computes, in C#. Gets a folder with the arguments as raw numbers and writes the outputs there.
using System.Runtime.InteropServices;

T[] Read<T>(string name) where T : unmanaged => MemoryMarshal.Cast<byte, T>(File.ReadAllBytes($"{args[0]}/{name}.bin")).ToArray();

float[] y = Read<float>("y"), x = Read<float>("x");
float a = Read<float>("a")[0];
for (int i = 0; i < y.Length; i++)
    y[i] = a * x[i] + y[i];
File.WriteAllBytes($"{args[0]}/y.bin", MemoryMarshal.AsBytes<float>(y));
