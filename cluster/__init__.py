"""The local stack, the imustream command and what runs it all on a cluster."""
