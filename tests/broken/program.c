/* A program, which position-independent code makes look like a shared object. */
int main(void)
{
    return 0;
}
