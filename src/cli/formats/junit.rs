//! Findings as JUnit XML, which CI servers show as tests: a suite for each file, a case for each finding.

use super::{Checked, Found, Unread};
use crate::graph::{Finding, render};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io;

type Xml = Writer<Vec<u8>>;

/// All of `found`.
pub fn write(found: &Found) -> String {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory cannot fail.
    let _ = document(&mut xml, found);
    String::from_utf8_lossy(&xml.into_inner()).into_owned() + "\n"
}

fn document(xml: &mut Xml, found: &Found) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let tests: usize = found.checked.iter().map(|checked| checked.findings.len().max(1)).sum();
    let failures = found.findings().filter(|finding| found.fails(finding.level)).count();
    let counts = [tests + found.unread.len(), failures, found.unread.len()].map(|count| count.to_string());
    let all = xml.create_element("testsuites").with_attributes([
        ("name", "ezrun"),
        ("tests", counts[0].as_str()),
        ("failures", counts[1].as_str()),
        ("errors", counts[2].as_str()),
    ]);
    all.write_inner_content(|xml| {
        found.unread.iter().try_for_each(|file| unread(xml, file))?;
        found.checked.iter().try_for_each(|checked| suite(xml, checked, found))
    })?;
    Ok(())
}

fn suite(xml: &mut Xml, checked: &Checked, found: &Found) -> io::Result<()> {
    let findings = &checked.findings;
    let failures = findings.iter().filter(|finding| found.fails(finding.level)).count();
    let (name, tests, failures) =
        (valid(checked.sources.first().name()), findings.len().max(1).to_string(), failures.to_string());
    let suite = xml.create_element("testsuite").with_attributes([
        ("name", name.as_str()),
        ("tests", tests.as_str()),
        ("failures", failures.as_str()),
        ("errors", "0"),
    ]);
    suite.write_inner_content(|xml| {
        if findings.is_empty() {
            let what = if checked.told_before == 0 { "no findings" } else { "no findings beside those told above" };
            case(xml, what, &name).write_empty()?;
        }
        findings.iter().try_for_each(|finding| finding_case(xml, finding, found.fails(finding.level)))
    })?;
    Ok(())
}

fn finding_case(xml: &mut Xml, finding: &Finding, fails: bool) -> io::Result<()> {
    let name = format!("{} at {}:{}", finding.code, finding.place.line, finding.place.column);
    let help = finding.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let text = valid(&format!("{}{help}", render::line(finding)));
    let message = valid(&finding.message);
    let inner = |xml: &mut Xml| {
        let element = match fails {
            true => {
                xml.create_element("failure").with_attributes([("type", finding.code), ("message", message.as_str())])
            }
            false => xml.create_element("system-out"),
        };
        element.write_text_content(BytesText::new(&text)).map(|_| ())
    };
    case(xml, &name, &valid(&finding.file)).write_inner_content(inner)?;
    Ok(())
}

fn unread(xml: &mut Xml, unread: &Unread) -> io::Result<()> {
    let (file, cause) = (valid(&unread.file), valid(&unread.cause));
    let suite = xml.create_element("testsuite").with_attributes([
        ("name", file.as_str()),
        ("tests", "1"),
        ("failures", "0"),
        ("errors", "1"),
    ]);
    suite.write_inner_content(|xml| {
        case(xml, "is readable", &file).write_inner_content(|xml| {
            xml.create_element("error").with_attribute(("message", cause.as_str())).write_empty().map(|_| ())
        })?;
        Ok(())
    })?;
    Ok(())
}

fn case<'x>(xml: &'x mut Xml, name: &str, file: &str) -> quick_xml::writer::ElementWriter<'x, Vec<u8>> {
    xml.create_element("testcase").with_attributes([("name", name), ("classname", file)])
}

/// `text` without the characters that XML has no way to write.
fn valid(text: &str) -> String {
    let is_valid = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_valid(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}
