/* SPDX-License-Identifier: BSD-2-Clause */
/* Another program that has Python inside: embedder PROGRAM_TEXT. */
#include <Python.h>

int main(int argc, char **argv)
{
	int r;

	Py_Initialize();
	r = PyRun_SimpleString(argc > 1 ? argv[1] : "");
	Py_Finalize();
	return r != 0;
}
