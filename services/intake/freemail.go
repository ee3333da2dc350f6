package intake

// freeMail are the domains of providers that give an address to anybody, so
// that the domain says nothing about the company.
var freeMail = set(
	"126.com", "163.com", "aim.com", "aol.com", "bluewin.ch", "btinternet.com", "comcast.net", "fastmail.com", "free.fr",
	"freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hey.com",
	"hotmail.co.uk", "hotmail.com", "hotmail.de", "hotmail.es", "hotmail.fr", "hotmail.it", "hushmail.com", "icloud.com",
	"inbox.com", "laposte.net", "libero.it", "live.co.uk", "live.com", "live.de", "live.fr", "live.nl", "mac.com",
	"mail.com", "mail.de", "mail.ru", "mailbox.org", "me.com", "msn.com", "naver.com", "orange.fr", "outlook.com",
	"outlook.de", "outlook.es", "outlook.fr", "pm.me", "posteo.de", "proton.me", "protonmail.com", "qq.com",
	"rediffmail.com", "rocketmail.com", "seznam.cz", "sfr.fr", "sky.com", "t-online.de", "tuta.com", "tutanota.com",
	"verizon.net", "virgilio.it", "wanadoo.fr", "web.de", "wp.pl", "yahoo.ca", "yahoo.co.in", "yahoo.co.jp",
	"yahoo.co.uk", "yahoo.com", "yahoo.com.br", "yahoo.de", "yahoo.es", "yahoo.fr", "yahoo.it", "yandex.com",
	"yandex.ru", "ymail.com", "zoho.com",
)

// disposableMail are the best known domains of throw-away addresses. Longer
// lists are loaded from files.
var disposableMail = set(
	"10minutemail.com", "10minutemail.net", "discard.email", "dispostable.com", "emailondeck.com", "fakeinbox.com",
	"getairmail.com", "getnada.com", "guerrillamail.biz", "guerrillamail.com", "guerrillamail.de", "guerrillamail.info",
	"guerrillamail.net", "guerrillamail.org", "maildrop.cc", "mailinator.com", "mailnesia.com", "mailsac.com", "mintemail.com",
	"moakt.com", "mohmal.com", "mytemp.email", "sharklasers.com", "spam4.me", "spamgourmet.com", "temp-mail.io",
	"temp-mail.org", "tempail.com", "tempmail.com", "tempmailo.com", "throwawaymail.com", "trashmail.com", "trashmail.de",
	"trashmail.net", "wegwerfemail.de", "yopmail.com", "yopmail.fr", "yopmail.net",
)
