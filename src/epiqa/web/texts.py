"""Every text of the page, in English and Simplified Chinese.

What Gradio's components show is translated in the browser (`I18N`), by its language; what is rendered here as
HTML is translated by the first language that the browser's request names, which is the same one.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import gradio as gr

from epiqa.errors import EpiQAError, FilterError, QuestionError

Language = Literal["en", "zh"]

# Key: English, Simplified Chinese. A key with "_one" is used for the number 1.
TEXTS: Final[dict[str, tuple[str, str]]] = {
    # The page
    "tagline": (
        "Answers in the documents' own words, quoted to the letter, with their source.",
        "用文档的原话回答，逐字引用，并注明出处。",
    ),
    "documents": ("{count} documents", "{count} 份文档"),
    "documents_one": ("{count} document", "{count} 份文档"),
    "unread_files": ("{count} files could not be read", "{count} 个文件无法读取"),
    "unread_files_one": ("{count} file could not be read", "{count} 个文件无法读取"),
    "tab_ask": ("Ask", "提问"),
    "tab_documents": ("Documents", "文档"),
    "tab_evaluate": ("Evaluate", "评测"),
    "tab_feedback": ("Feedback", "反馈"),
    # Asking
    "conversation": ("Conversation", "对话"),
    "question": ("Your question", "您的问题"),
    "ask": ("Ask", "提问"),
    "placeholder": (
        "Ask about the documents. The answer is a quotation, or an honest “they don't say”.",
        "就文档内容提问。回答是原文引用；文档没有答案时，会如实说明。",
    ),
    "placeholder_examples": (
        "Ask about the documents, or try one of these questions.",
        "就文档内容提问，或试试下面的问题。",
    ),
    "placeholder_empty": (
        "There are no documents yet. Add some under “Documents”, then ask about them here.",
        "还没有文档。请先在“文档”中添加，再来这里提问。",
    ),
    "clear": ("New conversation", "新对话"),
    "export_markdown": ("Export as Markdown", "导出 Markdown"),
    "export_json": ("Export as JSON", "导出 JSON"),
    # Answers
    "confidence": ("Confidence: {words}, {figure}", "置信度：{words}，{figure}"),
    "very likely": ("very likely", "很可能正确"),
    "likely": ("likely", "可能正确"),
    "possible": ("possible", "有可能"),
    "doubtful": ("doubtful", "存疑"),
    "meaning": (
        "Of 100 answers given with this confidence, about {percent} are expected to be right. Read the sentence.",
        "以此置信度给出的 100 个回答中，预计约有 {percent} 个正确。请阅读原句核实。",
    ),
    "places": ("Found in {count} places:", "在 {count} 处找到："),
    "more_places": ("{count} more places", "另有 {count} 处"),
    "more_places_one": ("{count} more place", "另有 {count} 处"),
    "others": ("{count} other possible answers", "其他 {count} 个可能的回答"),
    "others_one": ("{count} other possible answer", "其他 {count} 个可能的回答"),
    "no_answer": ("The documents don't answer this.", "文档没有回答这个问题。"),
    "held_back": (
        "A possible answer, held back because it is not sure enough",
        "一个可能的回答，因把握不足而未给出",
    ),
    "searched": ("{count} documents were searched.", "搜索了 {count} 份文档。"),
    "searched_one": ("{count} document was searched.", "搜索了 {count} 份文档。"),
    "without_text": (
        "{count} files had no text that could be read, and were not{files}.",
        "另有 {count} 个文件没有可读的文本，未被搜索{files}。",
    ),
    "without_text_one": (
        "{count} file had no text that could be read, and was not{files}.",
        "另有 {count} 个文件没有可读的文本，未被搜索{files}。",
    ),
    "nearest": ("The nearest passages, which may help:", "最接近的段落，或许有帮助："),
    "page": ("page {number}", "第 {number} 页"),
    "show_in_document": ("Show “{title}” at this place", "在《{title}》中查看此处"),
    "copy": ("Copy:", "复制："),
    "copy_text": ("Text", "文本"),
    "copied": ("Copied", "已复制"),
    "verdict": ("Is this right?", "回答正确吗？"),
    "right": ("Right", "正确"),
    "wrong": ("Wrong", "错误"),
    "saved_right": ("Saved as right", "已记为正确"),
    "saved_wrong": ("Saved as wrong", "已记为错误"),
    "how_to_correct": (
        "Do you know the right answer? Open its document, mark the answer in the text, and save it.",
        "知道正确的回答吗？打开相应文档，在原文中选中答案并保存。",
    ),
    # Sources
    "source": ("Source", "原文"),
    "no_source": (
        "Click a source below an answer: its document opens here, at the place that is quoted.",
        "点击回答下方的出处，文档会在这里打开并定位到引用处。",
    ),
    "source_gone": (
        "This document is no longer in the index. Ask again for an answer from today's documents.",
        "索引中已没有这份文档。请重新提问，以获得基于现有文档的回答。",
    ),
    "place_of": ("Place {number} of {count}", "第 {number} 处，共 {count} 处"),
    "previous": ("Previous place", "上一处"),
    "next": ("Next place", "下一处"),
    "original": ("Download the original file", "下载原始文件"),
    "earlier": ("Show the text before", "显示前文"),
    "later": ("Show the text after", "显示后文"),
    "back": ("Back to the answer", "返回回答"),
    "document_text": ("Text of the document", "文档正文"),
    "correction": ("The right answer is …", "正确的回答是……"),
    "correction_info": (
        "Mark it in the text above, with the mouse or by Shift and the arrow keys, or type it as it stands there.",
        "在上方原文中用鼠标或 Shift 加方向键选中，或照原文输入。",
    ),
    "marking_keys": (
        "The arrow keys move through the text; with Shift, they mark the right answer; Enter goes on to save it.",
        "用方向键在正文中移动，按住 Shift 选中正确的回答，按回车键继续保存。",
    ),
    "marked": ("Marked as the right answer: {quote}", "已选为正确回答：{quote}"),
    "correction_save": ("Save as the right answer", "保存为正确回答"),
    "correction_none": ("The documents don't answer it", "文档没有回答"),
    "correction_saved": (
        "Saved: the right answer to “{question}” is “{answer}”.",
        "已保存：“{question}”的正确回答是“{answer}”。",
    ),
    "correction_saved_none": (
        "Saved: the documents don't answer “{question}”.",
        "已保存：文档没有回答“{question}”。",
    ),
    "correction_missing": (
        "“{answer}” does not stand in this document to the letter: mark it in the text.",
        "本文档中没有与“{answer}”逐字相同的内容，请在原文中选中。",
    ),
    "correction_empty": ("Mark the answer in the text first.", "请先在原文中选中答案。"),
    "correction_no_question": (
        "Ask a question first, and open a source below its answer.",
        "请先提问，并打开回答下方的出处。",
    ),
    # Filter
    "filter": ("Search only some documents", "只搜索部分文档"),
    "filter_documents": ("Documents", "文档"),
    "filter_since": ("From this day", "起始日期"),
    "filter_until": ("Until this day", "截止日期"),
    "filter_days": (
        "2022-02-03, 2022-02, 2022, or 02-03 of any year",
        "2022-02-03、2022-02、2022，或任意年份的 02-03",
    ),
    "filter_active": ("Searching only:", "仅搜索："),
    "filter_fits": ("{count} documents fit", "符合条件的文档：{count} 份"),
    "filter_fits_one": ("{count} document fits", "符合条件的文档：{count} 份"),
    "chip_since": ("from {day}", "自 {day}"),
    "chip_until": ("until {day}", "至 {day}"),
    "chip_remove": ("Remove “{name}”", "移除“{name}”"),
    # Documents
    "add": ("Add documents", "添加文档"),
    "add_drop": (
        "Drop files here, or click to choose: text, Markdown, HTML, PDF, DOCX, ODT, tables, mails, ZIP",
        "将文件拖到此处，或点击选择：文本、Markdown、HTML、PDF、DOCX、ODT、表格、邮件、ZIP",
    ),
    "add_limits": (
        "Up to {count} files at once, {size} MB each. They are kept in {folder}; a file of the same name"
        " takes the place of the earlier one.",
        "一次最多 {count} 个文件，每个不超过 {size} MB。文件保存在 {folder}；同名文件会替换之前的文件。",
    ),
    "add_too_many": (
        "{count} files are more than the {limit} that are taken at once: add them in parts. None was read.",
        "一次最多添加 {limit} 个文件，您选择了 {count} 个。请分批添加；本次未读取任何文件。",
    ),
    "file_kind": ("is of a kind that is not read ({suffix})", "文件类型不支持（{suffix}）"),
    "file_large": ("is larger than {size} MB", "超过 {size} MB"),
    "file_empty": ("is empty", "是空文件"),
    "file_name": ("has a name that cannot be kept", "文件名无法保存"),
    "state_waiting": ("waiting", "等待中"),
    "state_reading": ("being read", "读取中"),
    "state_added": ("added", "已添加"),
    "state_replaced": ("replaced", "已替换"),
    "state_unchanged": ("unchanged", "无变化"),
    "state_skipped": ("not read", "未读取"),
    "indexing": (
        "Reading {done} of {count} files. You can go on asking.",
        "正在读取第 {done} 个，共 {count} 个文件。您可以继续提问。",
    ),
    "indexed": (
        "Done: {added} added, {replaced} replaced, {unchanged} unchanged, {skipped} not read.",
        "完成：添加 {added}，替换 {replaced}，无变化 {unchanged}，未读取 {skipped}。",
    ),
    "find_documents": ("Find a document", "查找文档"),
    "find_hint": ("words of its title or path", "标题或路径中的词"),
    "show": ("Show", "显示"),
    "show_all": ("All", "全部"),
    "show_read": ("Read", "已读取"),
    "show_problems": ("With problems", "有问题的"),
    "column_title": ("Title", "标题"),
    "column_date": ("Date", "日期"),
    "column_pages": ("Pages", "页数"),
    "column_chunks": ("Chunks", "分块"),
    "column_state": ("State", "状态"),
    "column_actions": ("Actions", "操作"),
    "state_read": ("read", "已读取"),
    "state_partly": ("read, but {note}", "已读取，但{note}"),
    "state_unread": ("not read: {reason}", "未读取：{reason}"),
    "documents_caption": ("Documents {first} to {last} of {count}", "第 {first}–{last} 份，共 {count} 份文档"),
    "documents_none": ("No document fits.", "没有符合条件的文档。"),
    "documents_empty": ("No documents yet: add some above.", "还没有文档，请在上方添加。"),
    "earlier_documents": ("Earlier", "上一页"),
    "later_documents": ("Later", "下一页"),
    "read": ("Read", "阅读"),
    "only": ("Ask only this one", "仅就此文档提问"),
    "download": ("Download", "下载"),
    "remove": ("Remove", "移除"),
    "remove_sure": ("Yes, remove it from the index", "是的，从索引中移除"),
    "removed": ("“{title}” no longer answers.", "《{title}》已移除，不再用于回答。"),
    "unlist_sure": ("Yes, take it off this list", "是的，从此列表中移除"),
    "unlisted": ("“{title}” is off the list.", "“{title}”已从列表中移除。"),
    # Evaluate
    "evaluate_intro": (
        "Measures how good the answers are, on questions whose answers you know: JSONL, CSV or SQuAD JSON."
        " What you judged under “Ask” is such a set, too.",
        "用已知答案的问题衡量回答质量：支持 JSONL、CSV 或 SQuAD JSON。您在“提问”中作出的评判也是这样的问题集。",
    ),
    "question_set": ("Question set", "问题集"),
    "question_set_feedback": ("What was judged on this page", "本页面上的评判"),
    "question_set_add": ("Add a question set", "添加问题集"),
    "mode": ("Ask", "提问方式"),
    "mode_open": ("all documents", "面向全部文档"),
    "mode_reader": ("the paragraph given with each question (SQuAD only)", "面向问题附带的段落（仅 SQuAD）"),
    "run": ("Run", "运行"),
    "stop": ("Stop", "停止"),
    "no_question_set": ("There is no question set yet: add one.", "还没有问题集，请先添加。"),
    "running": ("{done} of {count} questions asked", "已提问 {done} / {count} 个"),
    "preparing": ("Reading the questions and opening the index …", "正在读取问题并打开索引……"),
    "stopped": ("Stopped. Nothing was measured.", "已停止，没有结果。"),
    "report": ("Download the report", "下载报告"),
    "evaluated_one": ("{name}: {count} question in {seconds} seconds", "{name}：{count} 个问题，用时 {seconds} 秒"),
    "evaluated": ("{name}: {count} questions in {seconds} seconds", "{name}：{count} 个问题，用时 {seconds} 秒"),
    "measure": ("Measure", "指标"),
    "value": ("Value", "数值"),
    "interval": ("95% interval", "95% 区间"),
    "exact_match": ("Exact match", "精确匹配"),
    "f1": ("F1", "F1"),
    "has_answer_f1": ("F1 of the best candidate", "最佳候选的 F1"),
    "no_answer_accuracy": ("Rightly left unanswered", "正确拒答率"),
    "recall@5": ("Answer among the first 5 passages", "答案在前 5 段之中"),
    "ndcg@10": ("nDCG of the first 10", "前 10 的 nDCG"),
    "abstention.coverage@80": ("Answerable with 80% right", "80% 正确时的覆盖率"),
    "citation.verbatim": ("Citations to the letter", "逐字引用率"),
    "abstention.false_answer_rate": ("Wrongly answered (less is better)", "误答率（越低越好）"),
    "calibration.ece": ("Calibration error (less is better)", "校准误差（越低越好）"),
    "latency_ms.p50": ("Milliseconds a question, median", "每题毫秒数（中位数）"),
    # Feedback
    "feedback_intro": (
        "What you judge right or wrong below an answer is kept in {file}, as SQuAD JSON that epiqa evaluate and"
        " epiqa calibrate read.",
        "您对回答的评判保存在 {file}，格式为 SQuAD JSON，可供 epiqa evaluate 和 epiqa calibrate 读取。",
    ),
    "judged": ("Judged questions", "已评判的问题"),
    "judged_none": ("Nothing was judged yet.", "还没有评判。"),
    "unanswered": ("Questions that found no answer", "没有找到回答的问题"),
    "unanswered_none": ("Every question so far found an answer.", "到目前为止，所有问题都找到了回答。"),
    "times": ("{count} times", "{count} 次"),
    "times_one": ("once", "1 次"),
    "ask_again": ("Ask again", "再问一次"),
    "gold_impossible": ("the documents don't answer it", "文档没有回答"),
    "gold_wrong": ("“{answer}” is wrong; the right answer is not known yet", "“{answer}”是错误的；正确回答未知"),
    "gold_missing": ("an answer is in the documents, but was not found", "文档中有答案，但没有找到"),
    "forget": ("Delete", "删除"),
    "feedback_download": ("Download as SQuAD JSON", "下载 SQuAD JSON"),
    # Errors
    "error": ("{reason}", "出错了：{reason}"),
    "error_question": ("This cannot be asked: {reason}", "这个问题无法提问：{reason}"),
    "error_filter": ("{reason}", "筛选条件有误：{reason}"),
}


def say(language: Language, key: str, **values: object) -> str:
    """Returns a text with its values in place; an int `count` of 1 takes the singular where there is one."""
    count = values.get("count")
    if count == 1 and f"{key}_one" in TEXTS:
        key = f"{key}_one"
    shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return TEXTS[key][language == "zh"].format(**shown)


def say_error(language: Language, error: EpiQAError) -> str:
    """Returns an error's message; its reason, which the shell shows too, stays in English."""
    kinds = {QuestionError: "error_question", FilterError: "error_filter"}
    return say(language, kinds.get(type(error), "error"), reason=str(error))


def language_of(request: gr.Request | None) -> Language:
    """Returns the language of the first preference that a browser states."""
    headers = getattr(request, "headers", None)
    first = headers.get("accept-language", "") if headers else ""
    return "zh" if first.strip().lower().startswith("zh") else "en"


def label(key: str) -> Any:
    """Returns a text for a component, translated in the browser; not every component's types know of such."""
    return I18N(f"epiqa.{key}")


_ENGLISH = {f"epiqa.{key}": english for key, (english, _) in TEXTS.items()}
_CHINESE = {f"epiqa.{key}": chinese for key, (_, chinese) in TEXTS.items()}
# Readers of Traditional Chinese are better served with Simplified than with English; Gradio looks up each name.
I18N: Final = gr.I18n(**{"en": _ENGLISH} | dict.fromkeys(("zh", "zh-CN", "zh-SG", "zh-TW", "zh-HK"), _CHINESE))
