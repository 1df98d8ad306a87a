/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/options_table.h"

static char *script_of(const char *shell)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(completion_write(out, shell), 0);
	fclose(out);
	return text;
}

static void every_shell_knows_every_option_and_command(void **state)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };

	for (size_t i = 0; i < 3; i++) {
		char *text = script_of(shells[i]);
		size_t count;
		const struct commands_entry *commands = commands_all(&count);

		for (size_t k = 0; k < options_table_count; k++)
			assert_non_null(strstr(text, options_table[k].option.name));
		for (size_t k = 0; k < count; k++)
			assert_non_null(strstr(text, commands[k].name));
		free(text);
	}
}

/* A quote in the text of an option would end the shell's string. */
static void quotes_are_in_pairs(void **state)
{
	char *text = script_of("zsh");
	size_t quotes = 0;

	for (const char *c = text; *c; c++)
		quotes += *c == '\'';
	assert_int_equal(quotes % 2, 0);
	free(text);
}

static void other_shells_are_refused(void **state)
{
	assert_int_equal(completion_write(stdout, "tcsh"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shell_knows_every_option_and_command),
		cmocka_unit_test(quotes_are_in_pairs),
		cmocka_unit_test(other_shells_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
