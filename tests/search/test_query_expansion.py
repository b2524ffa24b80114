"""What is searched for in place of a question's words: pairs that must meet, words that must stay."""

from __future__ import annotations

import random
import string
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from epiqa.assistant import EpiQA
from epiqa.search.inflection import forms_of
from epiqa.search.query_expansion import (
    MAX_CORRECTED,
    MAX_JOINED,
    corrected,
    joined_and_parted,
    other_forms,
    search_terms,
)
from epiqa.store.embedded import EmbeddedReader
from epiqa.store.protocol import QueryTerm
from epiqa.sync.operations import add_documents
from epiqa.sync.options import UpdateOptions
from fakes import WordEmbedder, make_document

EMBEDDER = WordEmbedder(dimensions=16)
OTHERS = [
    "The harbour opened in June",
    "Two buses left with 90 people",
    "Rice and water were handed out",
    "Traffic rules of 2019-08-21",
    "The bakery sells bread and 7 cakes",
]

# What a question says, and what the document says.
PAIRS = """
Feb. 3 | opened on February 3
February 3rd | opened on Feb. 3, early
the 3rd of February | closed February 3 again
2 February | a meeting of February 2
Feb 2 | the 2nd of February rain
february 2 | on the 02 Feb ship
2022-05-11 | on May 11 tests began
2022/5/11 | 11 May queues
2022.05.11 | the 11th of May parade
May 11 | dated 2022-05-11 13:00
the 11th of May | dated 2021-05-11
11-May | dated 2021-05-11
September 5 | by Sept. 5 all
Sept. 5 | till 5 September
2022-09-05 | on Sep 5th
in February | since Feb. the schools
in Sept. | through September harvest
1200 | gave 1,200 tests
1,200 | gave 1200 beds
12,345,678 | made 12345678 masks
12345678 | made 12 345 678 masks
three | some 3 wards
3 | some three kitchens
twenty-three | after 23 hours
23 | after twenty-three nights
30 | within thirty minutes
ninety nine | of 99 rooms
COVID19 | the COVID-19 rules
COVID-19 | the COVID19 law
COVID 19 | the COVID19 act
covid19 | the COVID 19 ward
Xi'an | trains to Xian
Xi’an | trains to Xi'an
Xian | trains to Xi'an
Hongkong | Hong Kong ferry
Zuojun | Mr Zuo-jun left
US | the U.S. border
U.S. | the US coast
Did the WHO come? | W.H.O. came
reopen | to re-open shops
re-open | to reopen bars
facemask | a face mask shelf
face-mask | a facemask box
hospitals | hospital roof
VACCINATED | a vaccination bus
vacination | a vaccination bus
vaccinatoin | vaccinations list
hosptial | hospital fire
hospitel | hospitals burn
meetigns | meetings hall
ambulence | ambulances bay
quarentine | quarantine hotel
enviroment | the environment
pharamcy | a pharmacy
Zuojan | Mr Zuojun spoke
Chen Shaowong | Shaowang spoke
cafe | the café menu
comittee | the committee met
abbuse | abuse of power
February third | opened on February 3
March 4 | on 04/03/2022 rain
04.03.2022 | rain on 4 March
3/4/2022 | on April 3 rain
5000 | gave five thousand masks
5 thousand | gave 5,000 masks
two hundred | gave 200 masks
200 | some two hundred masks
a hundred | had 100 beds
2 million | had 2,000,000 people
third | the 3rd ward
3rd | the third ward
twentieth | the 20th floor
World War 2 | the war II ended
phase 3 | the phase III trial
phase III | the phase 3 trial
children | one child came
child | the children came
What did she write? | she wrote a letter
What did he teach? | he taught maths
mice | a mouse ran
diagnosis | two diagnoses were made
colour | the color red
color | the colours of it
hospitalization | hospitalisations rose
organised | was organizing it
centre | the centers burned
center | the centre burned
behavior | the behaviours changed
programme | a program ran
travelled | was traveling far
paediatric | a pediatric ward
pediatric | a paediatric ward
anemia | anaemia grew
diarrhoea | diarrhea rose
defence | the defense spoke
healthcare | the health care act
health care | the healthcare act
email | the e-mail came
e mail | the email came
Yi Jun | Tang Yijun spoke
n95 | the N-95 mask
N-95 | the N95 mask
H1 N1 | the H1N1 wave
5 km | within 5km all
10pm | at 10 pm all
"""


def texts(terms: Iterable[QueryTerm]) -> list[str]:
    return [term.text for term in terms]


def build(directory: Path, *texts: str) -> EpiQA:
    documents = [make_document(text, path=f"{n}.txt", title="") for n, text in enumerate(texts)]
    add_documents(documents, directory, UpdateOptions(embedder=EMBEDDER))
    return EpiQA.open(directory, embedder=EMBEDDER)


def write_words(directory: Path, words: list[str]) -> EmbeddedReader:
    build(directory, " ".join(words))
    return EmbeddedReader.open(directory)


@pytest.mark.parametrize("pair", PAIRS.strip().split("\n"))
def test_what_is_written_otherwise_is_found(tmp_path: Path, pair: str) -> None:
    question, text = pair.split(" | ")
    qa = build(tmp_path, text, *OTHERS)
    found = [passage.path for passage in qa.search(question, method="lexical")]
    assert found[:1] == ["0.txt"]


def test_without_rewriting_only_the_words_themselves_are_searched(tmp_path: Path) -> None:
    qa = build(tmp_path, "a vaccination bus of February 3", *OTHERS)
    for question in ("vacination", "Feb. 3rd"):
        assert qa.search(question, method="lexical")
        assert qa.search(question, method="lexical", rewrite=False) == []
    index = EmbeddedReader.open(tmp_path)
    assert texts(search_terms("Is vacination on Feb. 3?", index, rewrite=False)) == ["vacination", "feb", "3"]


@pytest.mark.parametrize(
    "word",
    ["vaccines", "vaccinating", "hospitalised", "wuhai", "quotas", "ivermectin", "café", "cafés", "running"],
)
def test_a_word_that_the_index_has_in_any_form_is_never_corrected(tmp_path: Path, word: str) -> None:
    documents = [
        "vaccine vaccine vaccination",
        "hospital hospitals hospitalised",
        "Wuhan Wuhan Wuhai",
        "quota quotes",
    ]
    build(tmp_path, *documents, "ivermectine ivermectin", "the cafe", "runs ruins", "vaccinated")
    found = texts(search_terms(word, EmbeddedReader.open(tmp_path)))
    assert found == [word, *(["hospitalized"] if word == "hospitalised" else [])]


def test_a_word_that_english_has_is_never_corrected(tmp_path: Path) -> None:
    index = write_words(tmp_path, ["goats", "brazen", "center", "color", "meters", "vacant", "hospice"])
    for word in ("goals", "brazil", "centre", "colour", "metres", "vaccine", "hospital"):
        assert set(texts(search_terms(word, index))) <= {word, *forms_of(word), *texts(joined_and_parted(word))}


def test_a_word_like_no_other_and_a_short_one_stay(tmp_path: Path) -> None:
    index = write_words(tmp_path, ["hospital", "mask", "wards", "cat", "bus"])
    for word in ("zyzzyva", "xylophone", "cap", "bas", "msk", "h0spital", "hospital_", "mask5"):
        assert search_terms(word, index)[0] == QueryTerm(word)
    # What it can't do: a wrong first letter.
    assert corrected("jospital", index) == [QueryTerm("jospital")]


def test_corrections_are_the_nearest_two(tmp_path: Path) -> None:
    index = write_words(tmp_path, ["carrot", "carrol", "carrob", "parrot", "car"])
    corrections = [QueryTerm("carrot", is_stem=True), QueryTerm("carrol", is_stem=True)]
    assert corrected("carrof", index) == corrections
    assert search_terms("Where is carrof?", index) == corrections


@pytest.mark.parametrize(
    ("question", "forms", "not_forms"),
    [
        ("On May 11", ["may 11", "11 may", "11 of may", "may 11th", "05 11"], ["may 11st"]),
        ("1 June", ["june 1st", "jun 01", "1 of june"], ["june 1th"]),
        ("March 22", ["22nd march", "mar 22"], []),
        ("the 13th of December", ["december 13th", "12 13"], ["december 13rd"]),
        ("2022-02-33", [], ["february 33"]),
        ("2022-13-03", [], ["13 03"]),
        ("February 0", [], ["february 0"]),
        ("February 3.5 metres", [], ["3 february"]),
        ("One of them", [], ["1"]),
        ("1 of them", [], ["one"]),
        ("007", [], ["seven"]),
        ("sixty-one", ["61", "sixty one", "sixtyone"], ["60"]),
        ("19", ["nineteen"], []),
        ("1,200.50", ["1 200", "1200"], []),
        ("in 1200000", ["1 200 000"], []),
        ("12,34", [], ["12 34", "1234"]),
        ("WHO IS THE US?", [], ["u s", "w h o"]),
        ("The US said", ["u s", "us"], []),
        ("may", [], ["june"]),
        ("13/02/2022", ["february 13", "13 02"], ["13 13"]),
        ("in 1500", [], ["1 thousand", "15 thousand"]),
        ("2,000,000", ["2 million", "two million"], ["2000 thousand"]),
        ("1st to 22nd", ["first"], ["", "twenty-second"]),
        ("May 3", [], ["may iii"]),
        ("so am I", [], ["am 1"]),
    ],
)
def test_other_forms(question: str, forms: list[str], not_forms: list[str]) -> None:
    found = texts(other_forms(question))
    assert set(forms) <= set(found)
    assert not set(not_forms) & set(found)


HOSTILE = {
    "long word": "x" * 1000,
    "digits": "9" * 1000,
    "groups": "1,234," * 160,
    "chinese": "谁主持了二月二日的会议？" * 20,
    "thai": "โรงพยาบาลเปิดเมื่อไหร่" * 20,
    "hangul": "안녕하세요여러분 힣힣힣힣",
    "emoji": "mask 😷👩‍👩‍👧 mask",
    "combining": "a" + "\u0301\u0323" * 499,
    "marks alone": "\u0301\u0302 x",
    "nul": "masks\0worn \0\0",
    "surrogate": "masks \ud800 worn",
    "fts5": 'NEAR(masks worn, 2) AND ^masks OR title:masks* NOT "masks - {masks} + "',
    "quotes": "\"\"\"'''’’’ masks ''\"",
    "last letters": "\ud7a3\ud7a3\ud7a3\ud7a3 \U00031350\U00031350\U00031350\U00031350 \uffdc\uffdc\uffdc\uffdc",
    "turkish": "İİİİİİ ıııııı ŉŉŉŉŉŉ ßßßßßß",
    "other digits": "٢٠٢٢-٠٥-١١ February ٣ १२३४५ ²³ ½ Ⅷ",
    "compounds": "a-b'c.d&e/f-" * 80,
    "dates": "Feb. " * 100 + "3 of " * 99,
    "capitals": "US UN " * 160 + "x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_any_characters_can_be_asked_for(tmp_path: Path, name: str) -> None:
    qa = build(tmp_path, "masks are worn", "안녕하세요여 NEAR OR title", HOSTILE[name].replace("\ud800", ""))
    qa.search(HOSTILE[name][:1000], method="lexical")


def test_random_characters_can_be_asked_for(tmp_path: Path) -> None:
    qa = build(tmp_path, "masks are worn", *OTHERS)
    chooser = random.Random(4)
    signs = [*string.printable * 5, *(chr(code) for code in range(0xA0, 0x3000)), "\0", "\ud83d", "防", "한", "𐐀"]
    for _ in range(300):
        qa.search("m" + "".join(chooser.choices(signs, k=40)), method="lexical")


def test_terms_of_a_long_question_of_unknown_words_are_quick(tmp_path: Path) -> None:
    chooser = random.Random(5)
    words = {"".join(chooser.choices("aeinorst", k=chooser.randint(4, 10))) for _ in range(70_000)}
    words = set(sorted(words)[:50_000])
    index = write_words(tmp_path, sorted(words))
    unknown: list[str] = []
    while len(" ".join(unknown)) < 1000:
        word = "".join(chooser.choices("aeinorst", k=11))
        unknown += [word] * (word not in words)
    for question in (" ".join(unknown)[:1000], " ".join(unknown).replace(" ", "")[:1000]):
        begun = time.thread_time()
        terms = texts(search_terms(question, index))
        assert time.thread_time() - begun < 1
        joined = set(texts(joined_and_parted(question)))
        assert len(joined) < 2 * MAX_JOINED
        assert sum(term not in question and term not in joined for term in terms) <= MAX_CORRECTED * 4
    index.close()


def test_threads_correct_words_at_once(tmp_path: Path) -> None:
    chooser = random.Random(6)
    words = ["".join(chooser.choices(string.ascii_lowercase, k=9)) for _ in range(500)]
    index = write_words(tmp_path, words)
    misspelt = [word[:4] + ("a" if word[4] != "a" else "b") + word[5:] for word in words[:60]]
    expected = [search_terms(word, EmbeddedReader.open(tmp_path)) for word in misspelt]
    assert all(len(term.text) < 10 for terms in expected for term in terms)
    results: dict[int, list[list[QueryTerm]]] = {}
    start = threading.Barrier(6)

    def look(number: int) -> None:
        start.wait()
        results[number] = [search_terms(word, index) for word in misspelt]

    threads = [threading.Thread(target=look, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results.get(number) for number in range(6)] == [expected] * 6
    index.close()
