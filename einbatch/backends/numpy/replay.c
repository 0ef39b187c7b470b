/* Replays a step of an emitted module without Python between its operations.

   A step is straight-line code on arrays that stay where they are. `record.py` runs
   it once and notes, instead of computing, what each line would do: which inner loop
   of a NumPy ufunc on which memory, which product of BLAS. What it notes is a list
   of 64-bit words, read here:

     GROUP  size rows block parallel    then loops up to `size` words:
     LOOP   size function data operands axes merged rows cut shape… pointers… strides…
     GEMM   size double transposed_a transposed_b m n k alpha beta A lda B ldb C ldc
            axes shape… strides of A… of B… of C…
     GEMV   size double transposed m n alpha beta A lda x incx y incy
            axes shape… strides of A… of x… of y…
     CHECK  size pointer count extent number
     BAND   size rows             then `each cut` and a GROUP or GEMM, up to `size` words

   `size` counts the words of the whole instruction. A group's loops have one axis, of
   `rows`, that is cut: the first, or of a loop alone in its group the one with the number
   `cut`. They run over `block` rows at a time, so that what one writes is still in the
   cache when the next reads it, and, where `parallel`, over halves of the rows in
   threads. No row depends on another, so no result does on either. A band
   is the same of whole instructions: each thread runs them all, for its part of the rows
   of each, which are `each` for one of the band's; a GEMM is cut at its stack, rows or
   columns.

   Inner loops have NumPy's signature (PyUFuncGenericFunction); those of replay_loops.h
   are for what no ufunc does. `rows`, where it is not 0, does the same as `function`
   for a whole matrix at once. */

#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <Python.h>
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* cblas's own numbers */
enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

#include "replay_kernels.h"
#include "replay_loops.h"
#include "replay_threads.h"

typedef int64_t word;
_Static_assert(sizeof(npy_intp) == 8 && sizeof(void *) == 8, "words of 64 bits hold pointers");

enum { GROUP = 1, LOOP, GEMM, GEMV, CHECK, BAND };
enum { MOST_OPERANDS = 4 };

/* ---- BLAS: whichever library `use_blas` names, with integers of 32 or 64 bits ---- */

static struct {
    void *sgemm, *dgemm, *sgemv, *dgemv;
    int bits, is_sequential; /* a library without threads: we cut its products for ours */
} blas;

#define GEMM_CALL(function, real, integer)                                               \
    ((void (*)(int, int, int, integer, integer, integer, real, const void *, integer,     \
               const void *, integer, real, void *, integer))function)(                   \
        ROW_MAJOR, g[3] ? TRANSPOSED : PLAIN, g[4] ? TRANSPOSED : PLAIN, (integer)g[5],   \
        (integer)g[6], (integer)g[7], (real)alpha, a, (integer)g[11], b, (integer)g[13],  \
        (real)beta, c, (integer)g[15])

#define GEMV_CALL(function, real, integer)                                               \
    ((void (*)(int, int, integer, integer, real, const void *, integer, const void *,     \
               integer, real, void *, integer))function)(                                 \
        ROW_MAJOR, g[3] ? TRANSPOSED : PLAIN, (integer)g[4], (integer)g[5], (real)alpha,  \
        a, (integer)g[9], b, (integer)g[11], (real)beta, c, (integer)g[13])

static double number(word bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void general(const word *g, const char *a, const char *b, char *c) {
    double alpha = number(g[8]), beta = number(g[9]);
    struct kind kind = {g[5], g[6], g[7], g[11], g[13], g[15], g[3], g[4], g[2], alpha, beta};
    const struct kernel *kernel = find_kernel(&kind);
    if (kernel && kernel->run) {
        kernel->run(kernel->made, a, b, c);
        return;
    }
    if (blas.bits == 64) {
        if (g[2]) GEMM_CALL(blas.dgemm, double, int64_t);
        else GEMM_CALL(blas.sgemm, float, int64_t);
    } else {
        if (g[2]) GEMM_CALL(blas.dgemm, double, int32_t);
        else GEMM_CALL(blas.sgemm, float, int32_t);
    }
}

static void vector(const word *g, const char *a, const char *b, char *c) {
    double alpha = number(g[6]), beta = number(g[7]);
    if (blas.bits == 64) {
        if (g[2]) GEMV_CALL(blas.dgemv, double, int64_t);
        else GEMV_CALL(blas.sgemv, float, int64_t);
    } else {
        if (g[2]) GEMV_CALL(blas.dgemv, double, int32_t);
        else GEMV_CALL(blas.sgemv, float, int32_t);
    }
}

typedef void (*product)(const word *, const char *, const char *, char *);

/* In single precision without the tiny numbers that momentum and saturated units leave behind. */
static void without_tiny_numbers(product run, const word *g, const char *a, const char *b,
                                 char *c) {
    unsigned before = rounding();
    if (!g[2]) set_rounding(without_tiny(before));
    run(g, a, b, c);
    set_rounding(before);
}

static void gemm(const word *g, const char *a, const char *b, char *c) {
    without_tiny_numbers(general, g, a, b, c);
}

static void gemv(const word *g, const char *a, const char *b, char *c) {
    without_tiny_numbers(vector, g, a, b, c);
}

/* One product for each element of the outer axes. */
static void stacked(const word *g, product run, const word *axes, word axis, const char *a,
                    const char *b, char *c) {
    word count = axes[0];
    if (axis == count) {
        run(g, a, b, c);
        return;
    }
    const word *shape = axes + 1, *strides = shape + count;
    for (word k = 0; k < shape[axis]; k++) {
        stacked(g, run, axes, axis + 1, a, b, c);
        a += strides[axis];
        b += strides[count + axis];
        c += strides[2 * count + axis];
    }
}

enum { LEAST_PRODUCT = 200000, SLICE = 32, MOST_KEPT = 1 << 20 };

/* Some of the outermost stack of a product. */
static void stack_part(const void *instruction, int64_t first, int64_t last) {
    const word *g = instruction, *axes = g + 16, *strides = axes + 1 + axes[0];
    for (word k = first; k < last; k++)
        stacked(g, gemm, axes, 1, (char *)g[10] + k * strides[0],
                (char *)g[12] + k * strides[axes[0]], (char *)g[14] + k * strides[2 * axes[0]]);
}

enum { BY_STACK, BY_ROWS, BY_COLUMNS };

/* Some rows, or some columns, of the results of a product. */
static void cut_product(const word *g, int cut, int64_t first, int64_t last) {
    word part[16], item = g[2] ? 8 : 4;
    memcpy(part, g, sizeof part);
    if (cut == BY_ROWS) {
        part[5] = last - first;
        part[10] += first * item * (g[3] ? 1 : g[11]);
        part[14] += first * item * g[15];
    } else {
        part[6] = last - first;
        part[12] += first * item * (g[4] ? g[13] : 1);
        part[14] += first * item;
    }
    stacked(part, gemm, g + 16, 0, (char *)part[10], (char *)part[12], (char *)part[14]);
}

/* What a product is cut along: the longer side of its result, but for something small that is
   added to. That is a param, most often; halves of its memory stay in the caches of those who
   read them. */
static int side_of(const word *g) {
    int is_kept = number(g[9]) != 0 && g[5] >= 2 * SLICE && g[5] * g[6] <= MOST_KEPT;
    return g[5] >= g[6] || is_kept ? BY_ROWS : BY_COLUMNS;
}

static void side_part(const void *instruction, int64_t first, int64_t last) {
    cut_product(instruction, side_of(instruction), first, last);
}

static void multiply(const word *g) {
    const word *axes = g + 16;
    word count = axes[0], work = g[5] * g[6] * g[7];
    for (word k = 0; k < count; k++) work *= axes[1 + k];
    if (!blas.is_sequential || work < LEAST_PRODUCT)
        stacked(g, gemm, axes, 0, (char *)g[10], (char *)g[12], (char *)g[14]);
    else if (count && axes[1] > 1) in_threads(stack_part, g, axes[1], 1);
    else if (count) stack_part(g, 0, axes[1]);
    else in_threads(side_part, g, side_of(g) == BY_ROWS ? g[5] : g[6], SLICE);
}

/* ---- pointwise loops over rows ---- */

enum { SHAPE = 9, MOST_AXES = 32 }; /* SHAPE: where a loop's shape begins */

/* Over the axes from `axis` on, `count` of the first of them. */
static void inner(const word *loop, const word *shape, word axis, word count, char **pointers) {
    word operands = loop[4], axes = loop[5];
    const word *strides = loop + SHAPE + axes + operands;
    char *moving[MOST_OPERANDS];
    npy_intp down[MOST_OPERANDS], right[MOST_OPERANDS];
    memcpy(moving, pointers, sizeof(char *) * (size_t)operands); /* loops may change them */
    for (word k = 0; k < operands; k++) {
        down[k] = strides[k * axes + axis];
        right[k] = strides[k * axes + axes - 1];
    }
    if (axis == axes - 1) {
        ((PyUFuncGenericFunction)loop[2])(moving, &count, right, (void *)loop[3]);
        return;
    }
    if (axis == axes - 2 && loop[7]) {
        ((row_loop)loop[7])(moving, count, shape[axes - 1], down, right);
        return;
    }
    for (word round = 0; round < count; round++) {
        inner(loop, shape, axis + 1, shape[axis + 1], moving);
        for (word k = 0; k < operands; k++) moving[k] += down[k];
    }
}

static void run_loop(const word *loop, word first, word last) {
    word operands = loop[4], axes = loop[5], merged = loop[6], cut = loop[8], part[MOST_AXES];
    const word *shape = loop + SHAPE, *strides = shape + axes + operands;
    char *pointers[MOST_OPERANDS];
    for (word k = 0; k < operands; k++)
        pointers[k] = (char *)shape[axes + k] + first * strides[k * axes + cut];
    if (merged) {
        inner(loop, shape, 1, (last - first) * shape[1], pointers);
        return;
    }
    if (cut) {
        memcpy(part, shape, sizeof(word) * (size_t)axes);
        part[cut] = last - first;
        shape = part;
    }
    inner(loop, shape, 0, cut ? shape[0] : last - first, pointers);
}

static void run_rows(const void *instruction, int64_t first, int64_t last) {
    const word *group = instruction, *end = group + group[1];
    word block = group[3];
    for (word row = first; row < last; row += block) {
        word stop = row + block < last ? row + block : last;
        for (const word *loop = group + 5; loop < end; loop += loop[1]) run_loop(loop, row, stop);
    }
}

/* What is in a band, for some of its rows. */
static void run_band(const void *instruction, int64_t first, int64_t last) {
    const word *band = instruction, *end = band + band[1];
    for (const word *item = band + 3; item < end; item += 2 + item[3]) {
        word from = first * item[0], to = last * item[0];
        if (item[2] == GROUP) run_rows(item + 2, from, to);
        else if (item[1] == BY_STACK) stack_part(item + 2, from, to);
        else cut_product(item + 2, (int)item[1], from, to);
    }
}

/* Gives the number of a check that failed, or -1. */
static word execute(const word *code, const word *end) {
    for (; code < end; code += code[1]) {
        switch (code[0]) {
        case GROUP:
            if (code[4]) in_threads(run_rows, code, code[2], code[3]);
            else run_rows(code, 0, code[2]);
            break;
        case BAND:
            in_threads(run_band, code, code[2], 0);
            break;
        case GEMM:
            multiply(code);
            break;
        case GEMV:
            stacked(code, gemv, code + 14, 0, (char *)code[8], (char *)code[10],
                    (char *)code[12]);
            break;
        case CHECK: {
            const uint64_t *places = (const uint64_t *)code[2];
            for (word k = 0; k < code[3]; k++)
                if (places[k] >= (uint64_t)code[4]) return code[5];
            break;
        }
        }
    }
    return -1;
}

/* ---- the Python object ---- */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    word *code, *moved; /* `moved`: triples of a word, an input, the bytes from its start */
    Py_ssize_t words, moves, inputs;
    Py_ssize_t *sizes;
    char **bases;
    PyObject *outputs, *failed, *kept;
} Replay;

/* Calls `failed` with the check's number and the inputs; it raises. */
static PyObject *fail(Replay *self, word check, PyObject *const *arguments) {
    PyObject *given = PyTuple_New(self->inputs + 1), *number = PyLong_FromLongLong(check);
    if (!given || !number) return NULL;
    PyTuple_SET_ITEM(given, 0, number);
    for (Py_ssize_t k = 0; k < self->inputs; k++)
        PyTuple_SET_ITEM(given, k + 1, Py_NewRef(arguments[k]));
    PyObject *result = PyObject_CallObject(self->failed, given);
    Py_DECREF(given);
    return result;
}

static PyObject *replay_call(PyObject *object, PyObject *const *arguments, size_t flags,
                             PyObject *keywords) {
    Replay *self = (Replay *)object;
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (count != self->inputs || (keywords && PyTuple_GET_SIZE(keywords))) {
        PyErr_Format(PyExc_TypeError, "a step takes %zd arrays, not %zd", self->inputs, count);
        return NULL;
    }
    int changed = 0;
    for (Py_ssize_t k = 0; k < count; k++) {
        PyArrayObject *array = (PyArrayObject *)arguments[k];
        if (!PyArray_Check(arguments[k]) || !PyArray_IS_C_CONTIGUOUS(array) ||
            !PyArray_ISBEHAVED_RO(array) || PyArray_NBYTES(array) != self->sizes[k]) {
            PyErr_Format(PyExc_TypeError, "argument %zd is no contiguous array of %zd bytes", k + 1,
                         self->sizes[k]);
            return NULL;
        }
        changed |= self->bases[k] != PyArray_BYTES(array);
        self->bases[k] = PyArray_BYTES(array);
    }
    for (word *move = self->moved, *end = move + 3 * self->moves; changed && move < end; move += 3)
        self->code[move[0]] = (word)(self->bases[move[1]] + move[2]);
    word check;
    Py_BEGIN_ALLOW_THREADS
    check = execute(self->code, self->code + self->words);
    Py_END_ALLOW_THREADS
    if (check >= 0) return fail(self, check, arguments);
    return Py_NewRef(self->outputs);
}

static word *words_of(Py_buffer *buffer) {
    word *copy = PyMem_Malloc(buffer->len ? (size_t)buffer->len : 1);
    if (copy) memcpy(copy, buffer->buf, (size_t)buffer->len);
    else PyErr_NoMemory();
    return copy;
}

static PyObject *replay_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"code", "moved", "sizes", "outputs", "failed", "kept", NULL};
    Py_buffer code = {0}, moved = {0};
    PyObject *sizes, *outputs, *failed, *kept;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "y*y*O!OOO", names, &code, &moved,
                                     &PyTuple_Type, &sizes, &outputs, &failed, &kept))
        return NULL;
    Replay *self = (Replay *)type->tp_alloc(type, 0);
    if (self) {
        self->vectorcall = replay_call;
        self->words = code.len / (Py_ssize_t)sizeof(word);
        self->moves = moved.len / (Py_ssize_t)(3 * sizeof(word));
        self->inputs = PyTuple_GET_SIZE(sizes);
        self->code = words_of(&code);
        self->moved = words_of(&moved);
        self->sizes = PyMem_Calloc((size_t)self->inputs + 1, sizeof *self->sizes);
        self->bases = PyMem_Calloc((size_t)self->inputs + 1, sizeof *self->bases);
        self->outputs = Py_NewRef(outputs);
        self->failed = Py_NewRef(failed);
        self->kept = Py_NewRef(kept);
        for (Py_ssize_t k = 0; self->sizes && k < self->inputs; k++)
            self->sizes[k] = PyLong_AsSsize_t(PyTuple_GET_ITEM(sizes, k));
        if (!self->sizes || !self->bases) PyErr_NoMemory();
        if (PyErr_Occurred()) Py_CLEAR(self);
    }
    PyBuffer_Release(&code);
    PyBuffer_Release(&moved);
    return (PyObject *)self;
}

static int replay_traverse(Replay *self, visitproc visit, void *arg) {
    Py_VISIT(self->outputs);
    Py_VISIT(self->failed);
    Py_VISIT(self->kept);
    return 0;
}

static int replay_clear(Replay *self) {
    Py_CLEAR(self->outputs);
    Py_CLEAR(self->failed);
    Py_CLEAR(self->kept);
    return 0;
}

static void replay_dealloc(Replay *self) {
    PyObject_GC_UnTrack(self);
    replay_clear(self);
    PyMem_Free(self->code);
    PyMem_Free(self->moved);
    PyMem_Free(self->sizes);
    PyMem_Free(self->bases);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyTypeObject ReplayType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "einbatch.backends.numpy._replay.Replay",
    .tp_doc = "A recorded step: takes the inputs, gives `outputs`, which it has computed anew.",
    .tp_basicsize = sizeof(Replay),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Replay, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_new = replay_new,
    .tp_traverse = (traverseproc)replay_traverse,
    .tp_clear = (inquiry)replay_clear,
    .tp_dealloc = (destructor)replay_dealloc,
};

/* ---- the module's functions ---- */

static PyObject *use_blas(PyObject *module, PyObject *arguments) {
    Py_ssize_t sgemm, dgemm, sgemv, dgemv, get_threads, set_threads, kernels[4];
    int bits, is_sequential;
    if (!PyArg_ParseTuple(arguments, "(nnnn)ip(nn)(nnnn)", &sgemm, &dgemm, &sgemv, &dgemv, &bits,
                          &is_sequential, &get_threads, &set_threads, &kernels[0], &kernels[1],
                          &kernels[2], &kernels[3]))
        return NULL;
    use_kernels((void *const *)kernels);
    blas_threads.get = (int (*)(void))get_threads;
    blas_threads.set = (void (*)(int))set_threads;
    blas.sgemm = (void *)sgemm;
    blas.dgemm = (void *)dgemm;
    blas.sgemv = (void *)sgemv;
    blas.dgemv = (void *)dgemv;
    blas.bits = bits;
    blas.is_sequential = is_sequential;
    Py_RETURN_NONE;
}

/* The inner loop of a ufunc for operands of these types: (function, data), or None. */
static PyObject *loop_of(PyObject *module, PyObject *arguments) {
    PyObject *object;
    const char *types;
    if (!PyArg_ParseTuple(arguments, "Os", &object, &types)) return NULL;
    if (strcmp(Py_TYPE(object)->tp_name, "numpy.ufunc") != 0) {
        PyErr_SetString(PyExc_TypeError, "not a ufunc");
        return NULL;
    }
    PyUFuncObject *ufunc = (PyUFuncObject *)object;
    if ((int)strlen(types) != ufunc->nargs) Py_RETURN_NONE;
    for (int k = 0; k < ufunc->ntypes; k++) {
        int same = 1;
        for (int j = 0; same && j < ufunc->nargs; j++) {
            PyArray_Descr *descr = PyArray_DescrFromType(ufunc->types[k * ufunc->nargs + j]);
            same = descr && descr->type == types[j];
            Py_XDECREF(descr);
        }
        if (same)
            return Py_BuildValue("nn", (Py_ssize_t)ufunc->functions[k],
                                 (Py_ssize_t)(ufunc->data ? ufunc->data[k] : NULL));
    }
    Py_RETURN_NONE;
}

/* Where an array's elements begin. */
static PyObject *address(PyObject *module, PyObject *array) {
    if (!PyArray_Check(array)) {
        PyErr_SetString(PyExc_TypeError, "not an array");
        return NULL;
    }
    return PyLong_FromVoidPtr(PyArray_DATA((PyArrayObject *)array));
}

static PyObject *use_threads(PyObject *module, PyObject *count) {
    long threads = PyLong_AsLong(count);
    if (threads == -1 && PyErr_Occurred()) return NULL;
    set_threads((int)threads);
    Py_RETURN_NONE;
}

/* Calls OpenBLAS's openblas_set_threads_callback_function, which is at this address. */
static PyObject *share_threads(PyObject *module, PyObject *setter) {
    void *address = PyLong_AsVoidPtr(setter);
    if (!address && PyErr_Occurred()) return NULL;
    ((void (*)(void *))address)((void *)run_blas);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"use_blas", use_blas, METH_VARARGS, "The addresses of cblas_sgemm, dgemm, sgemv and dgemv, the bits of their integers, whether they start no threads, the addresses of what gives and sets how many they start, and of what makes and runs kernels."},
    {"use_threads", use_threads, METH_O, "How many threads share the rows of large groups."},
    {"share_threads", share_threads, METH_O, "Makes OpenBLAS run its jobs in the same threads."},
    {"loop_of", loop_of, METH_VARARGS, "A ufunc's inner loop for these type codes, or None."},
    {"address", address, METH_O, "Where an array's elements begin."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_replay",
    .m_doc = "Recorded steps, replayed; see replay.c.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__replay(void) {
    import_array();
    import_umath();
    if (PyType_Ready(&ReplayType) < 0) return NULL;
    PyObject *module = PyModule_Create(&definition), *loops = PyDict_New();
    for (const struct named_loop *item = LOOPS; loops && item->name; item++) {
        PyObject *place = PyLong_FromVoidPtr((void *)item->function);
        if (!place || PyDict_SetItemString(loops, item->name, place) < 0) Py_CLEAR(loops);
        Py_XDECREF(place);
    }
    if (!module || !loops || PyModule_AddObjectRef(module, "LOOPS", loops) < 0 ||
        PyModule_AddObjectRef(module, "Replay", (PyObject *)&ReplayType) < 0)
        Py_CLEAR(module);
    Py_XDECREF(loops);
    return module;
}
