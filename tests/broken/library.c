/* A library, not a plugin: it has no manifest. */
int rt_test_neighbour(int number);
int rt_test_neighbour(int number)
{
    return number * 2;
}
