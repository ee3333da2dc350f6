package intake

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// typeFile is the type of a leaf that refers to a file. The file itself is
// never fetched.
const typeFile = "file"

// whole reads an object that is one value in several members: a file, or a date
// in parts. The type is empty where it is none of them.
func whole(n *node, typ string) (text, kind string) {
	if text, ok := fileOf(n, typ); ok {
		return text, typeFile
	}
	if text, ok := dateOf(n); ok {
		return text, "date"
	}
	return "", ""
}

// fileOf reads what is said of a file: its name, type, size and address. A
// content that travels along is not kept.
func fileOf(n *node, typ string) (string, bool) {
	for i := range n.members {
		if m := &n.members[i]; !ofFiles[norm(m.name)] || !m.value.scalar() {
			return "", false
		}
	}
	address := firstText(n, "url", "href", "link", "downloadUrl", "download_url", "file_url")
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
		address = ""
	}
	name := firstText(n, "filename", "fileName", "file_name", "name", "title")
	if other := firstText(n, "name", "title"); other != "" && other != name {
		name += ", " + other
	}
	mime := firstText(n, "mimeType", "mimetype", "mime_type", "contentType", "content_type", "type")
	size := firstText(n, "size", "fileSize", "file_size", "bytes")
	content := firstText(n, "content", "data", "base64")
	named := n.get("filename") != nil || n.get("fileName") != nil || n.get("file_name") != nil
	switch {
	case address != "" && (isFileType(typ) || named || size != "" || strings.Contains(mime, "/")):
	case address == "" && named && isContent(content):
		size = strconv.Itoa(base64.StdEncoding.DecodedLen(len(content)))
	default:
		return "", false
	}
	out := fmt.Sprintf("%s (%s, %s bytes)", orElse(name, "unnamed"), orElse(mime, "unknown type"), orElse(size, "unknown number of"))
	if address != "" {
		out += " " + fileLink(address)
	} else {
		out += " [content not kept]"
	}
	return out, true
}

// ofFiles are members of which all must be, for an object to be a file.
var ofFiles = set("url", "href", "link", "downloadurl", "fileurl", "filename", "name", "title", "mimetype", "contenttype", "type", "size", "filesize", "bytes", "content", "data", "base64", "id", "key", "extension", "signature")

// isContent says whether a text is the content of a file, and nobody's words.
func isContent(s string) bool {
	if len(s) < 32 {
		return false
	}
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil
}

// isFileType says whether a form's word for a kind of answer means a file.
func isFileType(typ string) bool {
	switch norm(typ) {
	case "file", "fileurl", "fileupload", "files", "upload", "signature", "inputfile":
		return true
	}
	return false
}

// expiring are parameters of addresses that end by themselves.
var expiring = set("expires", "expiry", "exp", "xamzexpires", "xgoogexpires", "se", "sig", "signature", "xamzsignature", "xgoogsignature", "token", "accesstoken")

// fileLink marks the address of a file: whether it ends by itself, or may be
// open only to who is logged in where the form was made.
func fileLink(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	for name := range u.Query() { // any order: one that is known is enough
		if expiring[norm(name)] {
			return address + " [expires]"
		}
	}
	return address + " [may need a login]"
}

// dateOf reads a date in parts. One that was left blank is empty.
func dateOf(n *node) (string, bool) {
	if len(n.members) != 3 {
		return "", false
	}
	part := func(name string) (int, string, bool) {
		v := n.get(name)
		if v == nil || !v.scalar() {
			return 0, "", false
		}
		i, _ := strconv.Atoi(strings.TrimSpace(v.text))
		return i, strings.TrimSpace(v.text), true
	}
	year, y, hasYear := part("year")
	month, m, hasMonth := part("month")
	day, d, hasDay := part("day")
	if !hasYear || !hasMonth || !hasDay {
		return "", false
	}
	if y+m+d == "" {
		return "", true
	}
	if at := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC); at.Year() == year && int(at.Month()) == month && at.Day() == day && year > 0 {
		return at.Format(time.DateOnly), true
	}
	return strings.Trim(y+"-"+m+"-"+d, "-"), true
}

// instant reads a moment as senders spell it: RFC 3339, or seconds or
// milliseconds since 1970.
func instant(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02 15:04:05Z07:00"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), plausibleTime(at)
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	at := time.Unix(n, 0)
	if n > 100_000_000_000 {
		at = time.UnixMilli(n)
	}
	return at.UTC(), plausibleTime(at)
}

func plausibleTime(at time.Time) bool { return at.Year() >= 1990 && at.Year() < 2100 }
