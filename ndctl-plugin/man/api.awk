# SPDX-License-Identifier: GPL-2.0-only
# api.awk iopmem.h: print the header's kernel-doc comments and declarations as
# asciidoc. With -v list=1 print a line for each function instead, for
# tests/documented:
#
#	NAME KIND PARAMETER,... DOCUMENTED,... RETURNS
#
# KIND is "function", "loop" (a macro) or "typedef"; RETURNS is "void", "said",
# or "unsaid".

function trim(s)
{
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

# "@ctx" in asciidoc is "_ctx_"
function markup(s,    out)
{
	while (match(s, /@[a-z_]+/)) {
		out = out substr(s, 1, RSTART - 1) "_" substr(s, RSTART + 1, RLENGTH - 1) "_"
		s = substr(s, RSTART + RLENGTH)
	}
	return out s
}

function capital(s)
{
	return toupper(substr(s, 1, 1)) substr(s, 2)
}

# Called at the end of a paragraph of the comment
function paragraph()
{
	if (text == "")
		return
	if (text ~ /^Return: /) {
		returns = 1
		sub(/^Return: /, "*Returns* ", text)
	}
	body = body markup(text) "\n\n"
	text = ""
}

# The names of the parameters in "int f(struct x *a, int b)"
function parameters(s,    n, i, names, out)
{
	sub(/^typedef [^(]*\([^)]*\)/, "", s)
	sub(/^[^(]*\(/, "", s)
	sub(/\)[^)]*$/, "", s)
	n = split(s, names, ",")
	for (i = 1; i <= n; i++) {
		gsub(/[^a-z_0-9]+$/, "", names[i])
		sub(/.*[^a-z_0-9]/, "", names[i])
		out = out (i > 1 ? "," : "") names[i]
	}
	return out
}

function entry(    kind, name)
{
	name = title
	sub(/\(\)$/, "", name)
	sub(/^(typedef|enum) /, "", name)
	if (list) {
		kind = title ~ /^typedef/ ? "typedef" : code ~ /^#define/ ? "loop" : "function"
		if (title !~ /^enum/)
			print name, kind, parameters(code), documented, \
				code ~ /^void iopmem|^typedef void / || kind == "loop" ? "void" : returns ? "said" : "unsaid"
		return
	}
	printf "==== %s\n\n----\n%s----\n\n%s.\n\n", name (title ~ /\(\)$/ ? "()" : ""), code, markup(capital(summary))
	if (items)
		printf "%s\n", items
	printf "%s", body
}

/^\/\* DOC: / {
	if (!list) {
		sub(/^\/\* DOC: /, "")
		sub(/ \*\/$/, "")
		printf "=== %s\n\n", $0
	}
	next
}

/^\/\*\*$/ {
	comment = 1
	title = summary = items = body = text = code = documented = ""
	returns = 0
	next
}

comment && /^ \*\/$/ {
	paragraph()
	comment = 0
	declaration = 1
	next
}

comment {
	line = $0
	sub(/^ \* ?/, "", line)
	if (title == "") {
		title = line
		sub(/ - .*/, "", title)
		summary = line
		sub(/.* - /, "", summary)
	} else if (match(line, /^@[A-Za-z_]+: /)) {
		item = substr(line, 2, RLENGTH - 3)
		documented = documented (documented == "" ? "" : ",") item
		items = items (items ? "\n" : "") "_" item "_::\n\t" markup(substr(line, RLENGTH + 1))
		in_item = 1
	} else if (line == "") {
		if (in_item)
			items = items "\n"
		in_item = 0
		paragraph()
	} else if (in_item) {
		items = items " " markup(trim(line))
	} else {
		text = text (text == "" ? "" : " ") trim(line)
	}
	next
}

declaration {
	if (code == "" && in_item)
		items = items "\n"
	in_item = 0
	code = code $0 "\n"
	if ($0 ~ /;$/ && ($0 !~ /^\t/ || code !~ /^enum/) || (code ~ /^#define/ && $0 !~ /\\$/)) {
		if (code ~ /^#define/) {
			sub(/ \\.*/, "", code)
			code = code "\n"
		}
		entry()
		declaration = 0
	}
}
