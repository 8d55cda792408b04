//! What people read, in English and in Chinese.

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Lang {
    /// The language's name for `lang=` and for the cookie.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }

    /// The language of such a name, by its first part.
    pub fn of(code: &str) -> Option<Self> {
        let first = code.split(['-', '_']).next()?;
        match first.to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }

    /// The one that a browser prefers: of `Accept-Language` the first with the highest weight that
    /// there is, else English.
    pub fn preferred(accept: &str) -> Self {
        let mut best = (0, Self::default());
        for part in accept.split(',') {
            let mut pieces = part.split(';').map(str::trim);
            let lang = pieces.next().and_then(Self::of);
            let weight = pieces.find_map(|piece| piece.strip_prefix("q="));
            // In thousandths: the grammar has at most three digits.
            let weight = weight.map_or(Some(1.0), |q| q.parse::<f32>().ok());
            let weight = weight.filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0);
            let weight = (weight * 1_000.0) as u32;
            if let Some(lang) = lang.filter(|_| weight > best.0) {
                best = (weight, lang);
            }
        }
        best.1
    }

    /// What people read in it.
    pub fn words(self) -> &'static Words {
        match self {
            Self::En => &EN,
            Self::Zh => &ZH,
        }
    }
}

macro_rules! words {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        /// The texts of the pages in one language, named by what they say in English.
        #[derive(Debug)]
        #[allow(missing_docs, reason = "each says itself, in the table below")]
        pub struct Words {
            $(pub $name: &'static str,)*
        }

        static EN: Words = Words { $($name: $en,)* };
        static ZH: Words = Words { $($name: $zh,)* };

        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$(($en, $zh)),*];
    };
}

words! {
    absent: "Absent", "缺勤";
    account: "Name or student number", "账号或学号";
    actions: "Actions", "操作";
    add: "Add", "添加";
    admin: "Administration", "管理";
    already: "You are signed in already", "你已签到";
    arrived: "Arrived", "签到时间";
    attendance: "Attendance", "考勤";
    back: "Back", "返回";
    became: "Became", "改为";
    choose_file: "Choose a CSV file", "选择 CSV 文件";
    class: "Class", "课次";
    classes: "Classes", "课次";
    close_class: "Close the class", "结束签到";
    closed: "Closed", "已结束";
    code: "Code", "签到码";
    code_hint: "Six characters from the screen", "屏幕上的六位签到码";
    correct: "Correct", "更正";
    corrections: "Corrections", "更正记录";
    course: "Course", "课程";
    course_name: "Name of the course", "课程名称";
    courses: "Courses", "课程";
    dark: "Dark", "深色";
    date: "Date", "日期";
    display_name: "Full name", "姓名";
    download_csv: "Download as CSV", "下载 CSV";
    error: "This did not work", "操作未完成";
    excused: "Excused", "请假";
    first_password: "Choose your password", "设置密码";
    history: "Attendance so far", "考勤记录";
    import: "Import", "导入";
    import_roster: "Import a roster", "导入名单";
    late: "Late", "迟到";
    late_after: "Late after (minutes)", "迟到时限(分钟)";
    light: "Light", "浅色";
    line: "Line", "行";
    link: "Link for the first password", "首次设置密码的链接";
    links_hint: "Print these now: they are shown once. Each link works once.",
        "请立即打印:链接只显示一次,且只能使用一次。";
    live: "Live", "实时";
    log_in: "Log in", "登录";
    log_out: "Log out", "退出";
    my_courses: "My courses", "我的课程";
    name: "Name", "姓名";
    new_course: "New course", "新建课程";
    new_link: "New link", "新链接";
    new_teacher: "New teacher", "新建教师";
    no_classes: "No classes yet.", "暂无课次。";
    no_courses: "No courses yet.", "暂无课程。";
    no_students: "Nobody is on the roster yet.", "名单为空。";
    none_open: "None of your classes is open now.", "当前没有进行中的签到。";
    noted: "Your teacher has noted", "老师已登记";
    number: "Student number", "学号";
    open: "Open", "进行中";
    open_class: "Open a class", "开始签到";
    open_now: "Open now", "正在签到";
    password: "Password", "密码";
    password_hint: "At least 8 characters", "至少 8 个字符";
    password_wrong_twice: "Password, once more", "再次输入密码";
    passwords_differ: "The two passwords are not the same.", "两次输入的密码不一致。";
    present: "Present", "出勤";
    ready: "Your password is set. Log in.", "密码已设置,请登录。";
    reason: "Reason", "原因";
    reconnecting: "Reconnecting…", "正在重新连接…";
    roster: "Roster", "名单";
    roster_hint: "CSV in UTF-8, first line: number,name", "UTF-8 编码的 CSV,首行为:学号,姓名";
    roster_paste: "Or paste it here", "或粘贴到此处";
    save: "Save", "保存";
    scan: "Scan, or type the code", "扫码或输入签到码";
    screen: "Screen for the projector", "投影屏幕";
    sign_in: "Sign in", "签到";
    signed_in: "You are signed in", "签到成功";
    skip: "Skip to the content", "跳到正文";
    standing: "Status", "状态";
    student: "Student", "学生";
    students: "Students", "学生";
    students_imported: "On the roster from this file", "本次名单人数";
    system_theme: "As the device", "跟随系统";
    teacher: "Teacher", "教师";
    teacher_accounts: "Teachers' accounts, separated by spaces", "教师账号(空格分隔)";
    teachers: "Teachers", "教师";
    theme: "Colours", "配色";
    title: "Check-in", "课堂签到";
    was: "Was", "原状态";
    who: "By", "操作人";
}

impl Words {
    /// A standing in this language.
    pub fn of(&self, standing: crate::models::Standing) -> &'static str {
        use crate::models::Standing;
        match standing {
            Standing::Absent => self.absent,
            Standing::Excused => self.excused,
            Standing::Late => self.late,
            Standing::Present => self.present,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_language_is_the_heaviest_that_there_is() {
        for (accept, lang) in [
            ("", Lang::En),
            ("zh", Lang::Zh),
            ("zh-Hans-CN,zh;q=0.9,en;q=0.8", Lang::Zh),
            ("en-GB,en;q=0.9,zh;q=0.8", Lang::En),
            ("fr, zh;q=0.3, en;q=0.7", Lang::En),
            ("fr;q=1.0, de", Lang::En),
            ("zh;q=0", Lang::En),
            ("zh;q=x, *;q=;;;", Lang::En),
        ] {
            assert_eq!(Lang::preferred(accept), lang, "{accept:?}");
        }
    }

    #[test]
    fn every_text_is_in_both_languages() {
        for (en, zh) in ALL {
            assert!(
                !en.is_empty() && zh.chars().any(|c| c as u32 > 0x3000),
                "{en}: {zh}"
            );
        }
    }
}
