/* The opcodes of pickle that this library writes and reads. */
#ifndef MP__OPCODES_H
#define MP__OPCODES_H

enum mp__opcode {
    MP__OP_MARK = '(',
    MP__OP_EMPTY_TUPLE = ')',
    MP__OP_STOP = '.',
    MP__OP_POP = '0',
    MP__OP_POP_MARK = '1',
    MP__OP_DUP = '2',
    MP__OP_BINBYTES = 'B',
    MP__OP_SHORT_BINBYTES = 'C',
    MP__OP_FLOAT = 'F',
    MP__OP_BINFLOAT = 'G',
    MP__OP_INT = 'I',
    MP__OP_BININT = 'J',
    MP__OP_BININT1 = 'K',
    MP__OP_LONG = 'L',
    MP__OP_BININT2 = 'M',
    MP__OP_NONE = 'N',
    MP__OP_REDUCE = 'R',
    MP__OP_UNICODE = 'V',
    MP__OP_BINUNICODE = 'X',
    MP__OP_EMPTY_LIST = ']',
    MP__OP_APPEND = 'a',
    MP__OP_BUILD = 'b',
    MP__OP_GLOBAL = 'c',
    MP__OP_DICT = 'd',
    MP__OP_APPENDS = 'e',
    MP__OP_GET = 'g',
    MP__OP_BINGET = 'h',
    MP__OP_LONG_BINGET = 'j',
    MP__OP_LIST = 'l',
    MP__OP_PUT = 'p',
    MP__OP_BINPUT = 'q',
    MP__OP_LONG_BINPUT = 'r',
    MP__OP_SETITEM = 's',
    MP__OP_TUPLE = 't',
    MP__OP_SETITEMS = 'u',
    MP__OP_EMPTY_DICT = '}',
    MP__OP_PROTO = 0x80,
    MP__OP_NEWOBJ = 0x81,
    MP__OP_TUPLE1 = 0x85,
    MP__OP_TUPLE2 = 0x86,
    MP__OP_TUPLE3 = 0x87,
    MP__OP_NEWTRUE = 0x88,
    MP__OP_NEWFALSE = 0x89,
    MP__OP_LONG1 = 0x8a,
    MP__OP_LONG4 = 0x8b,
    MP__OP_SHORT_BINUNICODE = 0x8c,
    MP__OP_BINUNICODE8 = 0x8d,
    MP__OP_BINBYTES8 = 0x8e,
    MP__OP_EMPTY_SET = 0x8f,
    MP__OP_ADDITEMS = 0x90,
    MP__OP_FROZENSET = 0x91,
    MP__OP_NEWOBJ_EX = 0x92,
    MP__OP_STACK_GLOBAL = 0x93,
    MP__OP_MEMOIZE = 0x94,
    MP__OP_FRAME = 0x95,
    MP__OP_BYTEARRAY8 = 0x96,
    /* This library's own, which Python refuses: a handle. Address, arena, serial follow. */
    MP__OP_HANDLE = 0xf0
};

enum { MP__HANDLE_SIZE = 20, MP__PROTOCOL_MOST = 5 };

/* The names that p2 and p3 call for sets, and p2 for bytes. */
#define MP__SET_MODULE(protocol) ((protocol) < 3 ? "__builtin__" : "builtins")

#endif
