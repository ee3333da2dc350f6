package lead

import "strings"

// AccountKey names a declared company: by its registrable domain, or where none is
// known by its name, in lower case and with single blanks. Empty = nothing names it.
func AccountKey(domain, name string) string {
	if domain != "" {
		return domain
	}
	return strings.Join(strings.Fields(strings.ToLower(name)), " ")
}
