/**
 * Labels that nobody may choose under a base domain: names of the service itself, names that mail, certificates and
 * browsers trust, names that invite phishing.
 */
export const RESERVED_LABELS: ReadonlySet<string> = new Set(
  `abuse account accounts admin administrator agent agents api app apps assets auth autoconfig autodiscover billing blog
  cdn certificate certificates console control dashboard dns docs download downloads edge email error ftp gateway
  help home host hostmaster imap info internal invoice invoices isatap legal local localdomain localhost login logout
  mail mailer-daemon mta-sts mx network news no-reply node nodes noc ns ns1 ns2 ns3 ns4 oauth operator operators
  password payment payments ping pop pop3 postmaster privacy proxy register relay relays root router routes secure
  security server signin signup smtp ssl sso stage staging static status support sysadmin system terms test tls tunnel
  tunnels tunnox update updates usenet user users uucp verify webmail webmaster wpad ws wss www www1 www2`.split(/\s+/),
);
