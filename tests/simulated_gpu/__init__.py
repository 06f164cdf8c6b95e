"""A GPU without a GPU: numbers stay on the CPU, while tensors claim to be on `cuda:0` and have to behave as if.

What a CUDA device refuses is an error here: operations that mix devices, a capture that waits for the device or leaves
it, a graph that is replayed before it was recorded or after memory that it addresses was freed. Under
`torch.cuda.set_sync_debug_mode("error")`, whatever would wait for the device is an error too. Recording a graph changes
nothing and leaves rubbish in what it made; a replay computes. Memory is counted, and can run out.

What it cannot show: speed, kernels, streams that race, NCCL. `tests/unit/test_cuda.py` runs on either.
"""
