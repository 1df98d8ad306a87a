/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/completion.h"

#include "base/util.h"
#include "cli/commands.h"
#include "cli/options_table.h"

#include <errno.h>

#define PIDS "pgrep -d ' ' python"

enum kind { KIND_NONE, KIND_WORDS, KIND_FILE, KIND_PID, KIND_USER };

static enum kind kind_of(const char *arg)
{
	if (!arg)
		return KIND_NONE;
	if (strchr(arg, '|') && *arg >= 'a' && *arg <= 'z')
		return KIND_WORDS;
	if (streq(arg, "FILE") || streq(arg, "PATH") || streq(arg, "DIR"))
		return KIND_FILE;
	if (streq(arg, "PID"))
		return KIND_PID;
	return streq(arg, "USER") || streq(arg, "NAME") ? KIND_USER : KIND_NONE;
}

static bool takes_files(const struct commands_entry *command)
{
	return strstr(command->usage.args, "FILE") || strstr(command->usage.args, "A [B]");
}

static bool has_letter(const struct argp_option *option)
{
	return option->key > ' ' && option->key < 0x7f;
}

/* @text with a backslash before each of @special, and '\'' for a quote. */
static void put_quoted(FILE *out, const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'') {
			fputs("'\\''", out);
			continue;
		}
		if (strchr(special, *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

/* The alternatives of "a|b|c", with blanks between. */
static void put_words(FILE *out, const char *arg)
{
	for (; *arg; arg++)
		fputc(*arg == '|' ? ' ' : *arg, out);
}

static void put_commands(FILE *out)
{
	size_t count;
	const struct commands_entry *all = commands_all(&count);

	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? " " : "", all[i].name);
}

/* ---- bash --------------------------------------------------------------------------------------
 */

static void bash_option_value(FILE *out, const struct argp_option *option)
{
	enum kind kind = kind_of(option->arg);

	if (!option->arg)
		return;
	fprintf(out, "\t--%s", option->name);
	if (has_letter(option))
		fprintf(out, " | -%c", option->key);
	fputs(") ", out);
	switch (kind) {
	case KIND_WORDS:
		fputs("words='", out);
		put_words(out, option->arg);
		fputs("' ;;\n", out);
		break;
	case KIND_FILE:
		fputs("how=-f ;;\n", out);
		break;
	case KIND_PID:
		fputs("words=$(" PIDS ") ;;\n", out);
		break;
	case KIND_USER:
		fputs("how=-u ;;\n", out);
		break;
	case KIND_NONE:
		fputs("return ;;\n", out);
		break;
	}
}

static void bash_command(FILE *out, const struct commands_entry *command)
{
	fprintf(out, "\t%s) options='--help", command->name);
	for (size_t i = 0; i < options_table_count; i++) {
		const struct options_row *row = &options_table[i];

		if (!(row->commands & command->usage.command))
			continue;
		fprintf(out, " --%s", row->option.name);
		if (has_letter(&row->option))
			fprintf(out, " -%c", row->option.key);
	}
	fprintf(out, "' how=%s ;;\n", takes_files(command) ? "-f" : "");
}

static void write_bash(FILE *out)
{
	size_t count;
	const struct commands_entry *all = commands_all(&count);

	fputs("_pymemtop()\n{\n"
	      "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tlocal command=${COMP_WORDS[1]} options='' words='' how=''\n\n"
	      "\tcase $command in\n",
	      out);
	for (size_t i = 0; i < count; i++)
		bash_command(out, &all[i]);
	fputs("\t*) options='--help --version' ;;\n\tesac\n"
	      "\tif [[ $current == -* ]]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
	      "\t\treturn\n\tfi\n"
	      "\tif ((COMP_CWORD == 1)); then\n\t\twords=\"",
	      out);
	put_commands(out);
	fputs(" $(" PIDS ")\"\n\telse words=$(" PIDS ")\n\tfi\n\tcase $previous in\n", out);
	for (size_t i = 0; i < options_table_count; i++)
		bash_option_value(out, &options_table[i].option);
	fputs("\tesac\n\tif [[ $how ]]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen \"$how\" -- \"$current\")\n\t\treturn\n\tfi\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n}\n"
	      "complete -F _pymemtop pymemtop\n",
	      out);
}

/* ---- zsh ---------------------------------------------------------------------------------------
 */

static void zsh_value(FILE *out, const char *arg)
{
	static const char *const actions[] = { [KIND_NONE] = "( )",
					       [KIND_FILE] = "_files",
					       [KIND_PID] = "_pymemtop_pids",
					       [KIND_USER] = "_users" };

	if (!arg)
		return;
	fputc(':', out);
	put_quoted(out, arg, ":[]");
	fputc(':', out);
	if (kind_of(arg) != KIND_WORDS) {
		fputs(actions[kind_of(arg)], out);
		return;
	}
	fputc('(', out);
	put_words(out, arg);
	fputc(')', out);
}

static void zsh_option(FILE *out, const char *dashes, const char *name, const struct argp_option *o)
{
	fprintf(out, " \\\n\t\t'*%s%s[", dashes, name);
	put_quoted(out, o->doc, "[]");
	fputc(']', out);
	zsh_value(out, o->arg);
	fputc('\'', out);
}

static void zsh_command(FILE *out, const struct commands_entry *command)
{
	fprintf(out, "\t%s) _arguments -s '--help[Show all options]'", command->name);
	for (size_t i = 0; i < options_table_count; i++) {
		const struct argp_option *option = &options_table[i].option;
		const char letter[] = { (char)option->key, '\0' };

		if (!(options_table[i].commands & command->usage.command))
			continue;
		zsh_option(out, "--", option->name, option);
		if (has_letter(option))
			zsh_option(out, "-", letter, option);
	}
	fprintf(out, " \\\n\t\t'*:argument:%s' ;;\n",
		takes_files(command) ? "_files" : "_pymemtop_pids");
}

static void write_zsh(FILE *out)
{
	size_t count;
	const struct commands_entry *all = commands_all(&count);

	fputs("#compdef pymemtop\n\n"
	      "_pymemtop_pids()\n{\n\tlocal -a pids=(${=\"$(" PIDS ")\"})\n"
	      "\tcompadd -a pids\n}\n\n"
	      "_pymemtop()\n{\n\tif ((CURRENT == 2)) && [[ $words[2] != -* ]]; then\n"
	      "\t\tcompadd ",
	      out);
	put_commands(out);
	fputs("\n\t\t_pymemtop_pids\n\t\treturn\n\tfi\n"
	      "\tlocal command=$words[2]\n\tshift words\n\t((CURRENT--))\n\tcase $command in\n",
	      out);
	for (size_t i = 0; i < count; i++)
		zsh_command(out, &all[i]);
	fputs("\t*) compadd -- --help --version ;;\n\tesac\n}\n\n"
	      "if [[ $funcstack[1] == _pymemtop ]]; then\n\t_pymemtop \"$@\"\n"
	      "else\n\tcompdef _pymemtop pymemtop\nfi\n",
	      out);
}

/* ---- fish --------------------------------------------------------------------------------------
 */

static void fish_option(FILE *out, const char *command, const struct argp_option *option)
{
	enum kind kind = kind_of(option->arg);

	fprintf(out, "complete -c pymemtop -n '__fish_seen_subcommand_from %s' -l %s", command,
		option->name);
	if (has_letter(option))
		fprintf(out, " -s %c", option->key);
	if (option->arg)
		fputs(kind == KIND_FILE ? " -r -F" : " -x", out);
	if (kind == KIND_WORDS) {
		fputs(" -a '", out);
		put_words(out, option->arg);
		fputc('\'', out);
	}
	if (kind == KIND_PID || kind == KIND_USER)
		fprintf(out, " -a '(%s)'",
			kind == KIND_PID ? "pgrep python" : "__fish_complete_users");
	fputs(" -d '", out);
	for (const char *c = option->doc; *c; c++)
		fputs(*c == '\'' ? "\\'" : (char[]){ *c, '\0' }, out);
	fputs("'\n", out);
}

static void write_fish(FILE *out)
{
	size_t count;
	const struct commands_entry *all = commands_all(&count);

	fputs("complete -c pymemtop -f\n"
	      "complete -c pymemtop -n __fish_use_subcommand -l version -s V\n"
	      "complete -c pymemtop -l help -s h\n"
	      "complete -c pymemtop -n __fish_use_subcommand -a '",
	      out);
	put_commands(out);
	fputs("'\n", out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "complete -c pymemtop -n '__fish_seen_subcommand_from %s' %s\n",
			all[i].name, takes_files(&all[i]) ? "-F" : "-a '(pgrep python)'");
		for (size_t k = 0; k < options_table_count; k++)
			if (options_table[k].commands & all[i].usage.command)
				fish_option(out, all[i].name, &options_table[k].option);
	}
}

int completion_write(FILE *out, const char *shell)
{
	if (streq(shell, "bash"))
		write_bash(out);
	else if (streq(shell, "zsh"))
		write_zsh(out);
	else if (streq(shell, "fish"))
		write_fish(out);
	else
		return -EINVAL;
	return ferror(out) ? -EIO : 0;
}
