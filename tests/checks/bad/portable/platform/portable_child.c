/* Has what its twin has not. */
int mp__child_await(int child)
{
    return child;
}

void mp__child_forget(int child)
{
    (void)child;
}
