/* Has what its twin has not. */
int mp__child_await(int child)
{
    return mp__child_forget(child);
}

const int mp__child_exact = 1;
