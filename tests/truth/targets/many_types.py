# SPDX-License-Identifier: BSD-2-Clause
"""
Objects of as many types of the interpreter and its C modules as can be made, 200 of each. "make" on stdin makes them; "tell"
tells, by the address of the type, how many and what sys.getsizeof() says of them all together. Python 3.8 to 3.15.
"""

import gc
import io
import json
import sys

COUNT = 200
makers = []


def maker(function):
    """function(n) makes the n-th; each may bring modules that a build does not have."""
    makers.append(function)
    return function


def each(module, /, **made):
    """made: expressions in n and the module's names."""
    try:
        names = vars(__import__(module, fromlist=["*"]))
    except ImportError:
        return
    for name, text in made.items():
        code = eval("lambda n: " + text, dict(names, io=io, sys=sys, gc=gc))
        code.__name__ = module + "." + name
        maker(code)


class Plain:
    def method(self):
        return self

    def __getitem__(self, i):
        if i > 3:
            raise IndexError
        return i

    def __len__(self):
        return 3

    def __iter__(self):
        return self

    def __next__(self):
        return 1

    __call__ = method


plain = Plain()


def generator():
    yield 1


async def coroutine():
    return 1


async def async_generator():
    yield 1


def recent(n):
    try:
        [][n]
    except IndexError as error:
        return error


made_globals = dict(globals())
each(
    "builtins",
    complex="complex(n, 1)",
    float="n + 0.5",
    big_int="10 ** (n * 5) + 1000",
    bytes="bytes(n + 2)",
    bytearray="bytearray(n)",
    str="'x%d' % n * (n + 1)",
    str_wide="'\\u20ac%d' % n * (n + 1)",
    str_wider="'\\U0001f40d%d' % n * (n + 1)",
    str_latin="'\\xe9%d' % n * (n + 1)",
    tuple="(n,) * (n + 1)",
    list="[n] * n",
    list_grown="list(x for x in range(n))",
    dict="{i: i for i in range(n)}",
    dict_str="{str(i): i for i in range(n)}",
    dict_popped="(lambda d: (d.popitem(), d)[1])({str(i): i for i in range(n + 1)})",
    set="set(range(n))",
    frozenset="frozenset(range(n))",
    range="range(n + 1000)",
    slice="slice(n, n + 1, 2)",
    range_iterator="iter(range(n))",
    longrange_iterator="iter(range(10 ** 30, 10 ** 30 + n))",
    list_iterator="iter([n])",
    list_reverseiterator="reversed([n])",
    tuple_iterator="iter((n,))",
    str_iterator="iter('\\u20ac%d' % n)",
    str_ascii_iterator="iter('x%d' % n)",
    bytes_iterator="iter(b'x%d' % n)",
    bytearray_iterator="iter(bytearray(3))",
    set_iterator="iter({n})",
    dict_keyiterator="iter({n: n})",
    dict_valueiterator="iter({n: n}.values())",
    dict_itemiterator="iter({n: n}.items())",
    dict_reversekeyiterator="reversed({n: n})",
    dict_reversevalueiterator="reversed({n: n}.values())",
    dict_reverseitemiterator="reversed({n: n}.items())",
    dict_keys="{n: n}.keys()",
    dict_values="{n: n}.values()",
    dict_items="{n: n}.items()",
    enumerate="enumerate([n])",
    zip="zip([n], [n])",
    zip_empty="zip()",
    map="map(str, [n])",
    filter="filter(None, [n])",
    reversed="reversed(plain)".replace("plain", "type('S', (), {'__len__': lambda s: 3, '__getitem__': lambda s, i: i})()"),
    memoryview="memoryview(bytes(n))",
    memoryview_cast="memoryview(bytes(24)).cast('b', [2, 3, 4])",
    property="property(len)",
    staticmethod="staticmethod(len)",
    classmethod="classmethod(len)",
    super="super(dict, {})",
    object="object()",
    function="lambda: n",
    function_defaults="lambda a=1, *, b=2: n",
    builtin_method="[n].append",
    method_wrapper="(n + 0.5).__add__",
    module="type(sys)('m%d' % n)",
    code="compile('x = %d\\ndef f(a, b=1):\\n  return [a + b for c in a]' % n, 'name', 'exec')",
    type="type('T%d' % n, (), {'a': n})",
    type_slots="type('T%d' % n, (), {'__slots__': ('a', 'b', 'c%d' % n)})",
    exception="ValueError(n)",
    os_error="OSError(n, 'x')",
    key_error="KeyError(n)",
    stop="StopIteration(n)",
    unicode_error="UnicodeDecodeError('utf-8', b'x%d' % n, 0, 1, 'r')",
    syntax_error="SyntaxError('x', ('f', n, 1, 't'))",
    import_error="ImportError('x', name='n')",
    system_exit="SystemExit(n)",
    callable_iterator="iter(int, 1)",
    mappingproxy="type(type.__dict__)({n: n})",
    textio="io.TextIOWrapper(io.BytesIO(bytes(n)))",
    stringio="io.StringIO('x' * n)",
    bytesio="io.BytesIO(bytes(n))",
    bytesio_grown="(lambda b: (b.write(bytes(n)), b)[1])(io.BytesIO())",
    bytesio_getbuffer="io.BytesIO(bytes(n)).getbuffer()",
    buffered_reader="io.BufferedReader(io.BytesIO(b''), n + 1)",
    buffered_writer="io.BufferedWriter(io.BytesIO(b''), n + 1)",
    buffered_random="io.BufferedRandom(io.BytesIO(b''), n + 1)",
    buffered_pair="io.BufferedRWPair(io.BytesIO(b''), io.BytesIO(b''), n + 1)",
    newline_decoder="io.IncrementalNewlineDecoder(None, True)",
    field_name_iterator="'{0}'.__class__.__name__ and __import__('_string').formatter_parser('{%d}' % n)",
    float_info="sys.float_info.__class__(sys.float_info)",
    stat="__import__('os').stat('/')",
    dir_entry="next(__import__('os').scandir('/'))",
    struct_time="__import__('time').localtime(n)",
    simple_namespace="__import__('types').SimpleNamespace(a=n)",
    cell="(lambda: (lambda: n))().__closure__[0]",
    frame="sys._getframe()",
)
each(
    "types",
    generic_alias="GenericAlias(list, (int,))",
    union="(int | str)",
    method="MethodType(len, [n])",
    capsule="__import__('datetime').datetime_CAPI",
)
each("itertools",
     accumulate="accumulate([n])", chain="chain([n])", combinations="combinations(range(n % 20 + 3), 3)",
     combinations_run="(lambda c: (next(c), c)[1])(combinations(range(n % 20 + 3), 3))",
     cwr="combinations_with_replacement(range(n % 20 + 1), n % 7)", compress="compress([n], [1])", count="count(n)",
     count_slow="count(n + 0.5)", cycle="cycle([n])", dropwhile="dropwhile(len, [])", takewhile="takewhile(len, [])",
     filterfalse="filterfalse(len, [])", groupby="groupby([n])", islice="islice([n], 1)",
     permutations="permutations(range(n % 20 + 1), n % 5)", permutations_all="permutations(range(n % 9))",
     product="product(*[range(3)] * (n % 9))", product_run="(lambda p: (next(p), p)[1])(product([n], [1, 2], repeat=1 + n % 3))",
     repeat="repeat(n)", starmap="starmap(len, [])", tee="tee([n])[0]", zip_longest="zip_longest([n])",
     grouper="next(groupby([n]))[1]", pairwise="pairwise([n])", batched="batched([n], 2)")
each("collections",
     deque="deque(range(n))", deque_max="deque(range(n), 20)", deque_iterator="iter(deque([n]))",
     deque_reverse="reversed(deque([n]))", defaultdict="defaultdict(list, {n: n})", ordered="OrderedDict({i: i for i in range(n)})",
     ordered_iterator="iter(OrderedDict({n: n}))", ordered_keys="OrderedDict({n: n}).keys()",
     ordered_values="OrderedDict({n: n}).values()", ordered_items="OrderedDict({n: n}).items()", counter="Counter('x%d' % n)",
     chainmap="ChainMap({n: n})", user_dict="UserDict({n: n})", named="namedtuple('N', 'a b')(n, n)")
each("functools",
     partial="partial(len, n)", partial_keywords="partial(len, a=n)", cmp_to_key="cmp_to_key(len)(n)",
     lru_cache="lru_cache(n)(len)", lru_cache_filled="(lambda f: (f(n), f(n + 1), f)[2])(lru_cache(9)(abs))",
     lru_cache_unbounded="(lambda f: (f(n), f)[1])(lru_cache(None)(abs))", cached="cached_property(len)",
     partialmethod="partialmethod(len)", singledispatch="singledispatchmethod(len)")
each("operator", attrgetter="attrgetter('a%d' % n, 'b.c')", itemgetter="itemgetter(n, 1)", itemgetter_one="itemgetter(n)",
     methodcaller="methodcaller('a', n)", methodcaller_keywords="methodcaller('a', n, b=n)")
each("struct", Struct="Struct('i' * (n % 5) + 'd' * (n % 3))", long="Struct('%dsh' % n * 3)", empty="Struct('')",
     iterator="iter_unpack('i', bytes(4))")
each("pickle", Pickler="Pickler(io.BytesIO())",
     Pickler_used="(lambda p: (p.dump([list(range(n * 3)), 'x' * n, {i: str(i) for i in range(n)}]), p)[1])(Pickler(io.BytesIO()))",
     Pickler_cleared="(lambda p: (p.dump(list(map(str, range(n)))), p.clear_memo(), p)[2])(Pickler(io.BytesIO()))",
     Unpickler="Unpickler(io.BytesIO())",
     Unpickler_used="(lambda u: (u.load(), u)[1])(Unpickler(io.BytesIO(dumps([list(range(n * 3)), 'x' * n, {i: str(i) for i in range(n)}]))))",
     Unpickler_zero="(lambda u: (u.load(), u)[1])(Unpickler(io.BytesIO(dumps([str(i) for i in range(n)], 0))))",
     memo="Pickler(io.BytesIO()).memo", buffer="PickleBuffer(bytes(n))")
each("array", **{"array_" + c: f"array('{c}', range(n % 100))" for c in "bBhHiIlLqQfd"}, array_u="array('u', 'x' * n)",
     array_iterator="iter(array('b'))", array_grown="(lambda a: (a.append(1), a)[1])(array('i', range(n % 100)))")
each("datetime", date="date(2000 + n, 1, 1)", time="time(n % 24)", time_zone="time(n % 24, tzinfo=timezone.utc)",
     datetime="datetime(2000 + n, 1, 1)", datetime_zone="datetime(2000 + n, 1, 1, tzinfo=timezone.utc)", delta="timedelta(n)",
     zone="timezone(timedelta(hours=n % 24 - 12, seconds=n))", calendar="date(2000 + n, 1, 1).isocalendar()")
each("zoneinfo", zone="ZoneInfo.no_cache('Europe/Berlin')", zone_key="ZoneInfo.no_cache('UTC')")
each("decimal", Decimal="Decimal(10) ** n", Decimal_long="Decimal('1' * (n * 5 + 1))", context="Context(prec=n + 1)",
     signals="Context().flags", manager="localcontext()", tuple="Decimal(n).as_tuple()")
each("fractions", fraction="Fraction(n, 7)")
each("random", random="Random(n)", system="SystemRandom()")
each("uuid", uuid="UUID(int=n)")
each("ipaddress", v4="IPv4Address(n)", network="ip_network('10.0.0.0/8')")
each("pathlib", path="PurePosixPath('/a/%d' % n)", posix="PosixPath('/a/%d' % n)")
each("re", pattern="__import__('sre_compile' if sys.version_info < (3, 11) else 're._compiler', fromlist=['x']).compile('a{%d}(b)|[^x]*' % n)",
     match="match('(x)(%d)' % n if False else '(x)(.*)', 'x%d' % n)", scanner="compile('x').scanner('x%d' % n)", finditer="finditer('x', 'x%d' % n)")
each("hashlib", md5="md5(b'%d' % n)", sha1="sha1(b'%d' % n)", sha256="sha256()", sha512="sha512()", sha3="sha3_256()",
     shake="shake_128()", blake2b="blake2b()", blake2s="blake2s()", new="new('sha256')")
each("_md5", md5="md5()")
each("_sha1", sha1="sha1()")
each("_sha2", sha2="sha256()", sha5="sha512()")
each("_sha256", sha256="sha256()")
each("_sha512", sha512="sha512()")
each("hmac", hmac="new(b'k', b'%d' % n, 'sha256')")
each("zlib", compressobj="compressobj()", decompressobj="decompressobj()", decompressor="_ZlibDecompressor()")
each("bz2", compressor="BZ2Compressor(1)", decompressor="BZ2Decompressor()")
each("lzma", compressor="LZMACompressor(preset=0)", decompressor="LZMADecompressor()")
each("threading", lock="Lock()", rlock="RLock()", condition="Condition()", event="Event()", semaphore="Semaphore()", local="local()",
     thread="Thread()", timer="Timer(1, len)", barrier="Barrier(2)")
each("queue", simple="SimpleQueue()", queue="Queue()")
each("weakref", ref="ref(type('W', (), {})())", proxy="proxy(len.__class__ and gc.__class__('m'))", value_dict="WeakValueDictionary()", set="WeakSet()", method="WeakMethod(Plain().x) if 0 else ref(frozenset)")
each("contextvars", var="ContextVar('v%d' % n)", context="(lambda c: (c.run(ContextVar('x').set, n), c)[1])(Context())",
     token="ContextVar('v').set(n)", empty="Context()", iterator="iter(copy_context())", copy="copy_context()")
each("socket", socket="socket()")
each("select", poll="poll()", epoll="epoll()")
each("selectors", select="SelectSelector()", default="DefaultSelector()")
each("ssl", context="SSLContext()", bio="MemoryBIO()")
each("sqlite3", connection="connect(':memory:')", cursor="connect(':memory:').cursor()", row="Row(connect(':memory:').cursor(), (n,))")
each("csv", reader="reader([])", writer="writer(io.StringIO())", dialect="get_dialect('excel')", dict_reader="DictReader([])")
each("json", encoder="JSONEncoder()", decoder="JSONDecoder()", c_scanner="JSONDecoder().scan_once",
     c_encoder="__import__('_json').make_encoder(None, len, str, None, ':', ',', False, False, True)")
each("xml.etree.ElementTree", Element="Element('a')", Element_attrib="Element('a', b='c')", tree="ElementTree()",
     Element_full="(lambda e: ([SubElement(e, 'x') for i in range(n % 9)], e)[1])(Element('a'))", builder="TreeBuilder()", parser="XMLParser()",
     iterator="Element('a').iter()")
each("xml.parsers.expat", parser="ParserCreate()")
each("ctypes", c_int="c_int(n)", c_double="c_double(n)", c_char_p="c_char_p(b'x%d' % n)", pointer="pointer(c_int(n))", array="(c_int * 20)()",
     array_type="c_int * (n + 1000)", char_array="create_string_buffer(n + 1)", function_type="CFUNCTYPE(c_int, *[c_int] * (n % 5))",
     function="CFUNCTYPE(c_int)(int)", structure="type('S%d' % n, (Structure,), {'_fields_': [('f%d' % i, c_int) for i in range(n % 7)]})",
     structure_made="type('S', (Structure,), {'_fields_': [('a', c_int), ('b', c_char * 30)]})()", byref="byref(c_int())",
     union="type('U%d' % n, (Union,), {'_fields_': [('a', c_int)]})", big_endian="type('B%d' % n, (BigEndianStructure,), {'_fields_': [('a', c_int)]})",
     pointer_type="POINTER(type('P%d' % n, (Structure,), {'_fields_': []}))", library="CDLL(None)", function_named="CDLL(None).abs",
     field="type('S', (Structure,), {'_fields_': [('a', c_int)]}).a", py_object="py_object(n)", simple_type="type('M%d' % n, (c_int,), {})")
each("ast", module="parse('x = %d' % n)")
each("symtable", table="symtable('x = %d' % n, 'f', 'exec')")
each("asyncio", future="Future(loop=new_event_loop_kept)" if False else "Queue() if sys.version_info >= (3, 10) else n", lock="Lock() if sys.version_info >= (3, 10) else n")
each("mmap", mmap="mmap(-1, 4096 * (n % 3 + 1))")
each("unicodedata", ucd="ucd_3_2_0.__class__ and n")
each("_testcapi", heap="HeapCTypeWithDict()", awaitable="awaitType()")
each("enum", enum="Enum('E%d' % n, ['A', 'B'])", flag="IntFlag('F%d' % n, ['A', 'B']).A")
each("typing", type_var="TypeVar('T')", alias="List[int] if n % 2 else Dict[str, int]", union="Union[int, str]", new_type="NewType('N', int)",
     forward="ForwardRef('x%d' % n)", param="ParamSpec('P')", tuple_var="TypeVarTuple('Ts')", optional="Optional[int]", callable="Callable[[int], int]")
each("string", template="Template('x%d' % n)", formatter="Formatter()")
each("inspect", signature="signature(json_dumps)" if False else "Parameter('a%d' % n, 1)")
each("logging", record="LogRecord('a', n, 'p', 1, 'm', (), None)", handler="NullHandler()", logger="Logger('x%d' % n)")
each("traceback", summary="StackSummary()", frame_summary="FrameSummary('f', n, 'x')")
each("types", coroutine_wrapper="coroutine(lambda: (yield))", dynamic="DynamicClassAttribute(len)")
each("io", open_raw="FileIO('/dev/null')", open_text="open('/dev/null')", open_binary="open('/dev/null', 'rb')")
each("os", scandir="scandir('/')", environ="_Environ({}, str, str, str, str)" if sys.version_info >= (3, 9) else "n", uname="uname()", times="times()",
     terminal_size="terminal_size((n, n))", sched="sched_param(n)")
each("_thread", lock="allocate_lock()")
each("concurrent.futures", future="Future()")
each("heapq", merge="merge([n])")
each("dataclasses", field="field(default=n)", made="make_dataclass('D', ['a', 'b'])(n, n)")
each("tracemalloc", filter="Filter(True, 'x%d' % n)")
each("multiprocessing.shared_memory", name="n")
each("_multiprocessing", sem="n")
each("_random", random="Random(n)")
each("_lsprof", profiler="Profiler()")
each("statistics", normal="NormalDist(n, 1)")
each("graphlib", sorter="TopologicalSorter()")
each("tokenize", info="TokenInfo(1, 'x', (n, 1), (1, 1), 'x')")
each("codecs", incremental="getincrementaldecoder('utf-8')()", stream="getreader('utf-8')(io.BytesIO())",
     multibyte="getincrementaldecoder('shift_jis')()", multibyte_encoder="getincrementalencoder('gbk')()",
     multibyte_reader="getreader('big5')(io.BytesIO())", multibyte_codec="__import__('_codecs_jp').getcodec('shift_jis')")

for function in (
    lambda n: plain.method,
    lambda n: iter(type("I", (), {"__getitem__": lambda self, i: i})()),
    lambda n: generator(),
    lambda n: (lambda c: c)(async_generator()),
    lambda n: recent(n),
    lambda n: recent(n).__traceback__,
    lambda n: generator().gi_frame,
    lambda n: (lambda e: e.__traceback__.tb_frame)(recent(n)),
    lambda n: async_generator().__anext__(),
    lambda n: async_generator().asend(None),
    lambda n: async_generator().athrow(ValueError),
    lambda n: type("Sub", (list,), {"__slots__": ()})([n]),
    lambda n: type("Sub", (dict,), {})(a=n),
    lambda n: type("Sub", (str,), {})("x%d" % n),
    lambda n: type("Sub", (bytes,), {})(b"x%d" % n),
    lambda n: type("Sub", (int,), {})(10**n),
    lambda n: type("Sub", (float,), {})(n),
    lambda n: type("Sub", (tuple,), {})((n, n)),
    lambda n: type("Sub", (tuple,), {"__slots__": ()})((n, n)),
    lambda n: type("Sub", (set,), {})({n}),
    lambda n: type("Sub", (frozenset,), {})({n}),
    lambda n: type("Sub", (bytearray,), {})(n),
    lambda n: type("Sub", (complex,), {})(n),
    lambda n: type("Sub", (property,), {})(len),
    lambda n: type("Sub", (type,), {})("Made", (), {}),
    lambda n: type("Sub", (Exception,), {"__slots__": ("a",)})(n),
):
    maker(function)


kept = []


def make():
    failed = {}
    for number, function in enumerate(makers):
        some = []
        try:
            for n in range(COUNT):
                some.append(function(n))
        except Exception as error:
            failed[getattr(function, "__name__", "?") + str(number)] = repr(error)
            continue
        kept.append(some)
    return failed


def everything():
    """{address of the type: [objects, sizes together]} of all that the collector leads to."""
    rows, seen = {}, set()
    todo = gc.get_objects()
    while todo:
        found = []
        for one in todo:
            if id(one) in seen or one is todo or one is found or one is seen or one is rows:
                continue
            seen.add(id(one))
            kind = type(one)
            row = rows.get(id(kind))
            if row is None:
                row = rows[id(kind)] = [kind.__module__ + "." + kind.__qualname__, 0, 0]
            row[1] += 1
            row[2] += sys.getsizeof(one)
            found.append(one)
        todo = gc.get_referents(*found)
    return {hex(kind): row for kind, row in rows.items()}


def tell():
    """Each object once: some makers give the same again and again, or what was there before."""
    rows, seen = {}, set()
    for some in kept:
        for one in some:
            if id(one) in seen or id(one) in before:
                continue
            seen.add(id(one))
            kind = type(one)
            row = rows.setdefault(hex(id(kind)), [kind.__module__ + "." + kind.__qualname__, 0, 0, []])
            size = sys.getsizeof(one)
            row[1] += 1
            row[2] += size
            if size not in row[3]:
                row[3].append(size)
    return rows


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    gc.disable()
    print("ready", flush=True)
    before = set()
    for line in sys.stdin:
        word = line.strip()
        if word == "make":
            failed = make()
            print(json.dumps(failed), flush=True)
        elif word == "tell":
            print(json.dumps(tell()), flush=True)
        elif word == "all":
            print(json.dumps(everything()), flush=True)
