package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/leadbaton/baton/services/baton/holidays"
	"github.com/leadbaton/baton/services/internal/fault"
)

func agreementHolidays() *cobra.Command {
	c := &cobra.Command{
		Use:   "holidays [COUNTRY[-REGION]]",
		Short: "Write the holidays of a country, or of an iCalendar file, for the agreement",
		Long: `Writes a set of holidays to put into the agreement: its dates, with their names as
comments. They come from a table of holidays that is part of this program, or, with
--ics, from an iCalendar file, as authorities and calendar programs publish them.
Dates of the agreement decide, never the table: read them, remove what your company
does not keep, and sign them.

The table was last written in April 2023. What was decided since, it does not know;
docs/agreement-calendars.md says how far it can be trusted for which country. Of a file,
events of whole days are taken; events that repeat by a rule are refused by name.

No running system is needed.`,
		Example: `  baton agreement holidays IT --from 2027 --to 2028
  baton agreement holidays DE-BY --from 2027 --to 2027
  baton agreement holidays --ics feiertage.ics --set at`,
		Args: between(0, "COUNTRY"),
	}
	flags := c.Flags()
	from := flags.Int("from", 0, "first year (of a file: the first of all, if left out)")
	to := flags.Int("to", 0, "last year (of a file: the last of all, if left out)")
	file := flags.String("ics", "", "iCalendar file to read instead of the table")
	set := flags.String("set", "", "name of the set (default: the country, or holidays)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := formatOf(cmd)
		if err != nil {
			return err
		}
		block, err := holidayBlockOf(cmd, args, *file, *from, *to)
		if err != nil {
			return err
		}
		if *set != "" {
			if block.Set = *set; !setNames.MatchString(*set) {
				return misused(cmd, "--set is %q; write lower-case letters, digits and hyphens", *set)
			}
		}
		if format == formatJSON {
			return writeJSON(cmd.OutOrStdout(), block)
		}
		return block.write(cmd.OutOrStdout())
	}
	return c
}

var setNames = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// holidayBlock is a set of holidays with what is to be said about it.
type holidayBlock struct {
	Set    string         `json:"set"`
	Source string         `json:"source"`
	Notes  []string       `json:"notes"`
	Days   []holidays.Day `json:"days"`
}

const (
	firstYear = 1990
	lastYear  = 2100
)

func holidayBlockOf(cmd *cobra.Command, args []string, file string, from, to int) (holidayBlock, error) {
	for _, year := range []int{from, to} {
		if year != 0 && (year < firstYear || year > lastYear) {
			return holidayBlock{}, misused(cmd, "%d is out of bounds; write a year from %d to %d", year, firstYear, lastYear)
		}
	}
	if to != 0 && from > to {
		return holidayBlock{}, misused(cmd, "--from %d is after --to %d", from, to)
	}
	if file != "" {
		if len(args) > 0 {
			return holidayBlock{}, misused(cmd, "a country and --ics are two sources; give one of them")
		}
		return fromICS(file, from, to)
	}
	if len(args) == 0 || from == 0 || to == 0 {
		return holidayBlock{}, misused(cmd, "give a country, --from and --to, or a file with --ics")
	}
	code := strings.ToUpper(args[0])
	if !slices.Contains(holidays.Codes(), code) {
		return holidayBlock{}, fault.New(fault.NotFound, "the table has no %s; it has %s. For others, read an iCalendar file with --ics", code, strings.Join(holidays.Codes(), ", "))
	}
	block := holidayBlock{Set: strings.ToLower(code), Source: holidays.Source, Days: holidays.Of(code, from, to)}
	block.Notes = []string{
		"What was decided since April 2023 is not in it: hold it against the official list before you sign.",
	}
	if country, region, ok := strings.Cut(code, "-"); !ok {
		block.Notes = append(block.Notes, "What only a part of "+country+" keeps may be missing, or be here though not all keep it.")
	} else {
		block.Notes = append(block.Notes, "What only a part of "+region+" keeps may be missing.")
	}
	return block, nil
}

// icsLargest bounds a file, in bytes.
const icsLargest = 8 << 20

func fromICS(file string, from, to int) (holidayBlock, error) {
	in, err := os.Open(file) // #nosec G304 -- the file that the user names
	if err != nil {
		return holidayBlock{}, fault.New(fault.NotFound, "%s cannot be read: %w", file, err)
	}
	defer func() { _ = in.Close() }()
	text, err := io.ReadAll(io.LimitReader(in, icsLargest+1))
	if err != nil || len(text) > icsLargest {
		return holidayBlock{}, fault.New(fault.Invalid, "%s cannot be read, or is larger than %d bytes", file, icsLargest)
	}
	days, cancelled, err := holidays.ReadICS(string(text))
	if err != nil {
		return holidayBlock{}, fault.New(fault.Of(err), "%s: %w", file, err)
	}
	var first, last time.Time
	if from != 0 {
		first = time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if to != 0 {
		last = time.Date(to, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	block := holidayBlock{Set: "holidays", Source: file, Days: holidays.Within(days, first, last)}
	if cancelled > 0 {
		block.Notes = append(block.Notes, counted(int64(cancelled), "cancelled event", "cancelled events")+" left out.")
	}
	return block, nil
}

// write shows the set as it stands in an agreement.
func (b holidayBlock) write(out io.Writer) error {
	if len(b.Days) == 0 {
		return fault.New(fault.NotFound, "there is no holiday in these years")
	}
	var text strings.Builder
	fmt.Fprintf(&text, "holiday_sets:\n  %s:\n", b.Set)
	fmt.Fprintf(&text, "    # %s, from %s.\n", counted(int64(len(b.Days)), "day", "days"), inComment(b.Source))
	for _, note := range b.Notes {
		fmt.Fprintf(&text, "    # %s\n", note)
	}
	for _, d := range b.Days {
		fmt.Fprintf(&text, "    - %s # %s\n", d.Date, inComment(strings.Join(d.Names, "; ")))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// inComment keeps a text within a comment.
func inComment(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)), " ")
}
