# SPDX-License-Identifier: BSD-2-Clause
"""
Classes of all kinds that programs have, 1000 instances of each: dataclasses, generics, metaclasses, slots with and without the
rest, enums, named tuples, subclasses of builtins, what was pickled or copied, tasks that wait. "make" on stdin makes them,
"tell" tells count and sys.getsizeof() of each class. Python 3.8 to 3.15.
"""

import abc
import asyncio
import collections
import copy
import dataclasses
import enum
import functools
import json
import pickle
import sys
import threading
import types
import typing
import weakref

N=1000
T=typing.TypeVar("T")
class Generic1(typing.Generic[T]):
    def __init__(self,i): self.v=i
class Meta(type):
    def __new__(m,n,b,d): d['extra']=n; return super().__new__(m,n,b,d)
class WithMeta(metaclass=Meta):
    def __init__(self,i): self.a=i
@dataclasses.dataclass
class Data: a:int; b:str='x'; c:list=dataclasses.field(default_factory=list)
if sys.version_info>=(3,10):
    exec("@dataclasses.dataclass(slots=True)\nclass DataSlots:\n a:int\n b:str='x'")
    makeDS=lambda i: DataSlots(i)
else:
    class DataSlots:
        __slots__=('a','b')
        def __init__(s,i): s.a=i; s.b='x'
    makeDS=DataSlots
@dataclasses.dataclass(frozen=True, order=True)
class Frozen: a:int
class WeakSlots:
    __slots__=('a','__weakref__')
    def __init__(s,i): s.a=i
class DictSlots:
    __slots__=('a','__dict__')
    def __init__(s,i): s.a=i; s.other=i
class Mixin:
    __slots__=()
class SlotsA:
    __slots__=('a',)
class Multi(Mixin,SlotsA):
    __slots__=('b',)
    def __init__(s,i): s.a=s.b=i
class MultiDict(SlotsA, WithMeta): pass
class Color(enum.Enum):
    R=1; G=2
NT=collections.namedtuple('NT','a b')
class NTT(typing.NamedTuple):
    a:int
    b:str='s'
class Cached:
    def __init__(s,i): s.i=i
    @functools.cached_property
    def big(s): return [s.i]
class Err(Exception):
    def __init__(s,i): super().__init__(i); s.code=i
def err(i):
    try: raise Err(i)
    except Err as e: return e
class Local(threading.local):
    def __init__(s,i=0): s.x=i
class Abc(abc.ABC):
    @abc.abstractmethod
    def f(s): ...
class Impl(Abc):
    def f(s): pass
    def __init__(s,i): s.i=i
class Wide:
    def __init__(s,i):
        for k in range(45): setattr(s,'n%d'%k,None)
class MyDict(dict):
    pass
class MyList(list):
    __slots__=('tag',)
class MyStr(str): pass
class MyInt(int): pass
class MyTuple(tuple): pass
class MyOD(collections.OrderedDict): pass
class MyDD(collections.defaultdict): pass
class MySet(set): pass
class MyDeque(collections.deque): pass
class Proto:
    def __init__(s,i): s.__dict__['a']=i
class Cond:
    def __init__(s,i):
        if i%3==0: s.z=1
        s.a=i
        if i%2: s.b=1
class Order:
    def __init__(s,i):
        for k in ('abc','cab','bca')[i%3]: setattr(s,k,i)
class Empty: pass
class ClassAttr:
    x=1
class Getattr:
    def __getattr__(s,n): return 1
    def __init__(s,i): s.q=i
class Changed:
    def __init__(s,i): s.a=i
class ChangedTo:
    def __init__(s,i): s.b=i
def changed(i):
    c=Changed(i); c.__class__=ChangedTo; return c
class Pick:
    def __init__(s,i): s.a=i; s.b=[i]
async def coro(i):
    await asyncio.sleep(1000)
def gen(i):
    chunk=[i]*10
    yield chunk
def started(i):
    g=gen(i); next(g); return g
makers=dict(Generic1=Generic1,WithMeta=WithMeta,Data=Data,DataSlots=makeDS,Frozen=Frozen,WeakSlots=WeakSlots,DictSlots=DictSlots,Multi=Multi,MultiDict=MultiDict,
 NT=lambda i:NT(i,i),NTT=lambda i:NTT(i),Cached=Cached,CachedUsed=lambda i:(lambda c:(c.big,c)[1])(Cached(i)),Err=err,Local=Local,Impl=Impl,Wide=Wide,
 MyDict=lambda i:MyDict(a=i),MyDict2=lambda i:(lambda d:(setattr(d,'x',i),d)[1])(MyDict(a=i)),MyList=lambda i:MyList([i]),MyStr=lambda i:MyStr('x%d'%i),MyStr2=lambda i:(lambda d:(setattr(d,'x',i),d)[1])(MyStr('x%d'%i)),MyInt=lambda i:MyInt(10**(i%50)),
 MyInt2=lambda i:(lambda d:(setattr(d,'x',i),d)[1])(MyInt(10**(i%50))),
 MyTuple=lambda i:MyTuple((i,)*(i%7)),MyTuple2=lambda i:(lambda d:(setattr(d,'x',i),d)[1])(MyTuple((i,)*(i%7))),MyOD=lambda i:MyOD(a=i),MyDD=lambda i:MyDD(list,a=i),MySet=lambda i:MySet([i]),MyDeque=lambda i:MyDeque([i]),Proto=Proto,Cond=Cond,Order=Order,
 Empty=lambda i:Empty(),ClassAttr=lambda i:ClassAttr(),Getattr=Getattr,Changed=changed,Pick=lambda i:pickle.loads(pickle.dumps(Pick(i))),Copy=lambda i:copy.copy(Pick(i)),Deep=lambda i:copy.deepcopy(Pick(i)),
 Gen=started,NS=lambda i:types.SimpleNamespace(a=i,b=i), Mat=lambda i:(lambda p:(vars(p),p)[1])(Pick(i)))
kept={}
print('ready',flush=True)
for line in sys.stdin:
    if line.strip()=='make':
        for k,f in makers.items(): kept[k]=[f(i) for i in range(N)]
        refs=[weakref.ref(x) for x in kept['WeakSlots']]
        loop=asyncio.new_event_loop(); asyncio.set_event_loop(loop)
        tasks=[loop.create_task(coro(i)) for i in range(N)]
        loop.run_until_complete(asyncio.sleep(0))
        kept['tasks']=tasks
        print('made',flush=True)
    else:
        rows={}
        for some in kept.values():
            for o in some:
                t=type(o); r=rows.setdefault(hex(id(t)),[t.__module__+'.'+t.__qualname__,0,0]); r[1]+=1; r[2]+=sys.getsizeof(o)
        print(json.dumps(rows),flush=True)
